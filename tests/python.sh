#!/bin/sh
# Sees to it that there is a Python environment in a folder, with what a file requires, and says
# where its Python is: sh tests/python.sh FOLDER REQUIREMENTS
set -eu
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing for what is in Python: python3-venv" >&2
        apt-get -qq update >&2 && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes \
            --no-install-recommends python3-venv >/dev/null
    else
        echo "This needs Python:  sudo apt-get install python3-venv" >&2
        exit 1
    fi
fi
[ -x "$1/bin/pip" ] || python3 -m venv "$1"
"$1/bin/pip" install --quiet --disable-pip-version-check -r "$2"
echo "$(cd "$1" && pwd)/bin/python"
