#!/bin/sh
# Fills DIR with the foreign MCP servers that test_foreign_servers.py drives, each in an environment of its own.
#   install.sh DIR      (PYTHON chooses the interpreter; without npm the Node servers are left out)
set -eu
[ $# -eq 1 ] || { echo "usage: install.sh DIR" >&2; exit 2; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)
python=${PYTHON:-python3}

for name in mcp-server-time mcp-server-git mcp-server-calculator; do
    if [ -e "$dir/$name/installed" ]; then continue; fi
    echo "installing $name" >&2
    "$python" -m venv "$dir/$name"
    "$dir/$name/bin/pip" install --quiet --disable-pip-version-check "$name"
    touch "$dir/$name/installed"
done

if ! command -v npm >/dev/null 2>&1; then
    echo "npm is not there: the Node servers are left out" >&2
    exit 0
fi
if [ ! -e "$dir/node/installed" ]; then
    echo "installing the Node servers" >&2
    mkdir -p "$dir/node"
    [ -e "$dir/node/package.json" ] || echo '{"private": true}' > "$dir/node/package.json"
    (cd "$dir/node" && npm install --silent --no-audit --no-fund \
        @modelcontextprotocol/server-filesystem @modelcontextprotocol/server-memory @modelcontextprotocol/server-everything)
    touch "$dir/node/installed"
fi
