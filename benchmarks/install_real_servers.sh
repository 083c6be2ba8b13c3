#!/bin/sh
# Fills DIR with the servers that real_servers.py calls: install_real_servers.sh DIR
# Environments by what the servers need: Python version (PYTHON311, PYTHON312, PYTHON313 choose the interpreters), MCP SDK
# before or after version 2, Node. About 3 GB.
set -eu
[ $# -eq 1 ] || { echo "usage: install_real_servers.sh DIR" >&2; exit 2; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)

environment() {  # NAME INTERPRETER PACKAGE...
    name=$1; interpreter=$2; shift 2
    [ -e "$dir/$name/installed" ] && return 0
    "$interpreter" -c "" >/dev/null 2>&1 || { echo "$name is left out: no $interpreter runs here" >&2; return 0; }
    echo "installing $name" >&2
    "$interpreter" -m venv "$dir/$name"
    if "$dir/$name/bin/pip" install --quiet --disable-pip-version-check "$@"; then
        touch "$dir/$name/installed"
    else
        echo "$name could not be installed" >&2
    fi
}

p311=${PYTHON311:-python3.11}; p312=${PYTHON312:-python3.12}; p313=${PYTHON313:-python3.13}
if [ ! -e "$dir/node/installed" ]; then
    echo "installing node" >&2
    mkdir -p "$dir/node"
    [ -e "$dir/node/package.json" ] || echo '{"private": true}' > "$dir/node/package.json"
    (cd "$dir/node" && npm install --silent --no-audit --no-fund --ignore-scripts \
        @modelcontextprotocol/server-everything @modelcontextprotocol/server-filesystem @modelcontextprotocol/server-memory \
        @modelcontextprotocol/server-sequential-thinking @modelcontextprotocol/server-pdf n8n-mcp) && touch "$dir/node/installed"
fi
environment new "$p311" mcp-server-time mcp-server-git mcp-server-fetch mcp-server-motherduck excel-mcp-server \
    office-word-mcp-server mcp-mathematics mcp-alchemy mcp-pandoc pypandoc_binary
environment old "$p311" 'mcp<2' mcp-server-sqlite mcp-server-calculator office-powerpoint-mcp-server code-index-mcp \
    terminal-controller mcp-text-editor mcp-simple-timeserver mcp-server-tree-sitter
environment new312 "$p312" mcp-utility-tools
environment old312 "$p312" medcalc 'mcp<2'
environment old313 "$p313" chess-mcp 'mcp<2'
environment markitdown "$p311" markitdown-mcp
environment memory312 "$p312" basic-memory
environment chroma "$p311" chroma-mcp 'pydantic<2.12'
