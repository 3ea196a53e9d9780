#!/bin/sh
# Runs the suite in a Python environment of its own, beside the build.
set -eu
program=$1
here=$(dirname "$0")
python=$(sh "$here/../python.sh" "$(dirname "$program")/../python" "$here/requirements.txt")
exec "$python" "$here/suite.py" "$program"
