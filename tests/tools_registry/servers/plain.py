"""A hand-written MCP server (2025-06-18, standard library only), so that it can break every rule it is told to break.

Usage: plain.py [behaviour ...]
"""

import json
import os
import subprocess
import sys
import time

behaviours = set(sys.argv[1:])
TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
ECHO = {"name": "echo", "description": "Say it again.", "inputSchema": TEXT}
NAMES = ("pid", "die", "hang", "big", "late", "fail", "structured", "number", "environment", "linger", "odd")
NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}}
TOOLS = [ECHO, *({"name": name, "inputSchema": NUMBER} for name in NAMES)]
MALFORMED = [
    {"name": "no_schema"},
    {"name": "listed", "inputSchema": []},
    {"name": 5, "inputSchema": {"type": "object"}},
    {"name": "array", "inputSchema": {"type": "array"}},
    {"name": "bad-output", "inputSchema": {"type": "object"}, "outputSchema": {"type": "array"}},
    {"name": "untyped", "inputSchema": {}},
    "no object",
]


def send(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def listing(params):
    if "malformed" in behaviours:
        return {"tools": [ECHO, *MALFORMED]}
    if "pages" in behaviours:
        page = int(params.get("cursor", 0))
        names = [f"tool_{page * 10 + i}" for i in range(10)]
        found = {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in names]}
        return found | ({"nextCursor": str(page + 1)} if page < 4 else {})
    if "endless" in behaviours:
        return {"tools": [ECHO], "nextCursor": "again"}
    if "growing" in behaviours and os.path.exists(os.environ["GROWN"]):
        return {"tools": [*TOOLS, {**ECHO, "name": "new"}]}
    return {"tools": TOOLS}


def text(value):
    return {"content": [{"type": "text", "text": value}]}


def call(name, arguments):
    if name in ("echo", "new"):
        return text(arguments["text"])
    if name == "pid":
        return text(str(os.getpid()))
    if name == "environment":
        return text(json.dumps(sorted(os.environ)))
    if name == "odd":
        return {"content": "no list"}
    if name == "number":
        return text("42")
    if name == "structured":
        return {**text("{}"), "structuredContent": {"answer": 42}}
    if name == "fail":
        return {**text("Error executing tool fail: it broke [denied]"), "isError": True}
    if name == "big":
        return text("x" * arguments["n"])
    if name == "die":
        sys.stderr.write("going\x1b[31m down\n")
        sys.stderr.flush()
        os._exit(3)
    if name == "hang":
        time.sleep(600)
    if name == "linger":
        subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(600)"],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        return text("left a child")
    raise KeyError(name)


def answer(message):
    method, params = message.get("method"), message.get("params") or {}
    if "old" in behaviours and method == "server/discover":
        sys.exit("ValidationError: server/discover")
    if method == "initialize" and "odd" in behaviours:
        return {"protocolVersion": 5}
    if method == "initialize":
        return {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {"listChanged": True}},
            "serverInfo": {"name": "plain", "version": "1"},
            "instructions": "Be plain.",
        }
    if method == "tools/list" and "toolless" in behaviours:
        return None
    if method == "tools/list":
        return listing(params)
    if method == "tools/call":
        if params["name"] == "late":
            send({"method": "notifications/tools/list_changed"})
            return text("told")
        return call(params["name"], params["arguments"])
    return None


if "silent" in behaviours:
    sys.stderr.write("thinking\n")
    sys.stderr.flush()
    sys.stdin.read()
    sys.exit()
if "deaf" in behaviours:
    import signal

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(600)
if "exits" in behaviours:
    sys.exit("no licence key")
if "v1" in behaviours:
    sys.exit("ModuleNotFoundError: No module named 'mcp.server.fastmcp'")
if "rubbish" in behaviours:
    print("Welcome to the plain server!", flush=True)
    sys.stdout.buffer.write(b"\xff\xfe not even UTF-8\n")
    sys.stdout.flush()
if "only-rubbish" in behaviours:
    for _ in sys.stdin:
        print("What do you mean?", flush=True)
for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    try:
        result = answer(request)
    except KeyError as error:
        send({"id": request["id"], "error": {"code": -32602, "message": f"unknown tool {error}"}})
        continue
    if result is None:
        send({"id": request["id"], "error": {"code": -32601, "message": "Method not found"}})
    else:
        send({"id": request["id"], "result": result})
