#!/bin/sh
# Make the virtual environment in .venv from the pinned requirements, on a machine that may have no more than Python.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

fitting() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

python=""
for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3; do
    if fitting "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    say "Python 3.11 or newer is needed and was not found. Remedy: install it (Debian: apt-get install python3), or name it: make PYTHON=/path/to/python3 …"
    exit 1
fi

# Debian ships Python without the module that makes virtual environments work.
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    package="python3-venv"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "Installing $package, which $python lacks …"
        apt-get install -y -qq "$package" >/dev/null 2>&1 ||
            { apt-get update -qq && apt-get install -y -qq "$package" >/dev/null; }
    else
        say "$python cannot make virtual environments. Remedy: apt-get install $package (as root), then run this again."
        exit 1
    fi
fi

say "Making .venv with $("$python" --version) (about a minute) …"
rm -rf .venv
"$python" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
