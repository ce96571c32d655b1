#!/bin/sh
# The repository's door. Finds or brings Node.js, brings the libraries, and hands over to src/tool/main.ts.
set -eu
root=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
. "$root/src/tool/node.sh"
exec "$node" --import "file://$root/node_modules/tsx/dist/loader.mjs" "$root/src/tool/main.ts" "$@"
