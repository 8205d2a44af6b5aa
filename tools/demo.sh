#!/bin/sh
# The main job, end to end, as one would type it: check the cluster, site by its full name, and what to look at next.
set -eu
cd "$(dirname "$0")/.."
method=${1:-helm}
case $method in helm | istioctl) ;; *) echo "METHOD must be helm or istioctl, not '$method'."; exit 2 ;; esac
started=$(date +%s)

playbook() {
    name=$1
    shift
    printf '\n\033[1m$ ansible-playbook meshproof.mtls.%s\033[0m\n' "$name"
    ansible-playbook "meshproof.mtls.$name" ${MTLS_VARS:+-e "@$MTLS_VARS"} -e "istio_install_method=$method" "$@"
}

installed=$(kubectl_method=$(ansible localhost -m kubernetes.core.k8s_info \
    -a "kind=ConfigMap label_selectors=meshproof.mtls/role=istio_install" -o 2>/dev/null || true); printf '%s' "$kubectl_method" |
    grep -oE '"method": "(helm|istioctl)"' | grep -oE 'helm|istioctl' | head -n 1 || true)
if [ -n "$installed" ] && [ "$installed" != "$method" ]; then
    echo "The last demo installed Istio by $installed; it is removed first, because a change of method is never made silently."
    playbook uninstall -e istio_install_purge=true -e "istio_install_method=$installed"
fi
playbook preflight
playbook site
printf '\nDone in %d s. What to try next:\n' "$(($(date +%s) - started))"
cat <<TEXT
  export KUBECONFIG=$KUBECONFIG
  ansible-playbook meshproof.mtls.verify                  # the table again; nothing is written
  ansible-playbook meshproof.mtls.site${MTLS_VARS:+ -e @$MTLS_VARS} -e istio_install_method=$method   # says changed=0
  ansible-playbook meshproof.mtls.uninstall -e istio_install_purge=true -e istio_install_method=$method
  make lab-down
TEXT
