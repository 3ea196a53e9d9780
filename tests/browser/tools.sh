#!/bin/sh
# Sees to it that there are a browser, with letters to draw, and Node for the browser tests.
exec sh "$(dirname "$0")/../tools.sh" "the browser tests" \
    "A Chromium elsewhere is named by the variable CHROMIUM.
To leave the browser out:  make test BROWSER=no" \
    "${CHROMIUM:-/usr/bin/chromium}=chromium fonts-dejavu-core" node=nodejs npm=npm
