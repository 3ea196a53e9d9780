#!/bin/sh
# Runs the suite in a Python environment of its own, beside the build.
set -eu
program=$1
here=$(dirname "$0")
environment=$(dirname "$program")/../python
[ -x "$environment/bin/python" ] || python3 -m venv "$environment"
"$environment/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
exec "$environment/bin/python" "$here/suite.py" "$program"
