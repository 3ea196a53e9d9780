#!/bin/sh
# Prepares a Python environment with the requirements of a file, and prints the path of its Python:
# sh tests/python.sh FOLDER REQUIREMENTS
set -eu
sh "$(dirname "$0")/tools.sh" python
[ -x "$1/bin/pip" ] || python3 -m venv "$1"
echo "Installing into $1: $(paste -sd ' ' "$2")" >&2
"$1/bin/pip" install --quiet --disable-pip-version-check -r "$2"
echo "$(cd "$1" && pwd)/bin/python"
