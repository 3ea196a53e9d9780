#!/bin/sh
# Runs the suite in a Python environment of its own, beside the build.
set -eu
program=$1
here=$(dirname "$0")
environment=$(dirname "$program")/../python
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing for the conformance suite: python3-venv"
        apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes \
            --no-install-recommends python3-venv >/dev/null
    else
        echo "The conformance suite needs Python:  sudo apt-get install python3-venv" >&2
        exit 1
    fi
fi
[ -x "$environment/bin/pip" ] || python3 -m venv "$environment"
"$environment/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
exec "$environment/bin/python" "$here/suite.py" "$program"
