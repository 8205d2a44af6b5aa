#!/bin/sh
# The main job, end to end, as one would type it: look at the cluster, site by its full name, and what to try next.
set -eu
cd "$(dirname "$0")/.."
method=${1:-helm}
case $method in helm | istioctl) ;; *)
    echo "METHOD must be helm or istioctl, not '$method'." >&2
    exit 2
    ;;
esac
started=$(date +%s)

playbook() {
    name=$1
    shift
    printf '\n$ ansible-playbook meshproof.mtls.%s %s\n' "$name" "$*"
    ansible-playbook "meshproof.mtls.$name" ${MTLS_VARS:+-e "@$MTLS_VARS"} "$@"
}

# The role istio_install records in the cluster by which method it installed.
recorded() {
    ANSIBLE_CALLBACK_RESULT_FORMAT=json ansible localhost -m kubernetes.core.k8s_info -a "kind=ConfigMap label_selectors=meshproof.mtls/role=istio_install" |
        grep -oE '"method": "(helm|istioctl)"' | grep -oE 'helm|istioctl' | head -n 1
}

playbook preflight -e mtls_preflight_job=site -e "istio_install_method=$method"
before=$(recorded || true)
if [ -n "$before" ] && [ "$before" != "$method" ]; then
    echo "An earlier demo installed Istio by $before. A change of method is never made silently, so that is removed first."
    playbook uninstall -e "istio_install_method=$before" -e istio_install_purge=true
fi
playbook site -e "istio_install_method=$method" -e "istio_verify_report_dir=$PWD/.reports/demo"
cat <<TEXT

Done in $(($(date +%s) - started)) s. What to try next:
  open .reports/demo/report.html in a browser  # the same as a page: a graph, filters, certificates
  export KUBECONFIG=$KUBECONFIG PATH=$PWD/.venv/bin:\$PATH
  ansible-playbook meshproof.mtls.verify       # the table again; this one writes nothing
  ansible-playbook meshproof.mtls.site${MTLS_VARS:+ -e @$MTLS_VARS} -e istio_install_method=$method       # says changed=0
  ansible-playbook meshproof.mtls.uninstall -e istio_install_method=$method -e istio_install_purge=true
  make lab-down
TEXT
