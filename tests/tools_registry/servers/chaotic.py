"""An MCP server (2025-06-18) that dies, hangs, dawdles and garbles at random: chaotic.py SEED [SHARE OF BAD CALLS]"""

import json
import os
import random
import sys
import time

rng = random.Random(f"{sys.argv[1]}:{os.getpid()}")
bad = float(sys.argv[2]) if len(sys.argv) > 2 else 0.4
ECHO = {"type": "object", "properties": {"token": {"type": "string"}}, "required": ["token"]}
last = None


def send(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def result(token):
    return {"content": [], "structuredContent": {"token": token}}


def call(request):
    """Answer, or do something else."""
    global last
    number, token = request["id"], request["params"]["arguments"]["token"]
    earlier = last
    way = rng.choice(("die", "hang", "slow", "rubbish", "half", "other id", "stale", "twice", "odd", "error", "binary"))
    if rng.random() > bad:
        way = "good"
    if way == "die":
        os._exit(9)
    if way == "hang":
        time.sleep(3600)
    if way == "slow":
        time.sleep(rng.random() / 10)
    if way == "rubbish":
        print("Traceback (most recent call last):", flush=True)
    if way == "half":
        sys.stdout.write(f'{{"jsonrpc": "2.0", "id": {number}, "resu')
        sys.stdout.flush()
        os._exit(1)
    if way == "binary":
        sys.stdout.buffer.write(bytes(rng.randrange(256) for _ in range(2_000)) + b"\n")
        sys.stdout.flush()
    if way == "other id":
        send({"id": number + 5_000, "result": result("for nobody")})
        return  # nobody could tell a late answer to this call from its own, as long as it is waited for
    last = number
    if way == "stale" and earlier is not None:
        send({"id": earlier, "result": result("an earlier call's")})
    if way == "odd":
        send({"id": number, "result": {"content": "no list"}})
        return
    if way == "error":
        send({"id": number, "error": {"code": -32603, "message": "broken"}})
        return
    send({"id": number, "result": result(token)})
    if way == "twice":
        send({"id": number, "result": result("twice")})


for line in sys.stdin:
    request = json.loads(line)
    method = request.get("method")
    if "id" not in request or method is None:
        continue
    if method == "initialize":
        info = {"name": "chaotic", "version": "1"}
        send(
            {
                "id": request["id"],
                "result": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info},
            }
        )
    elif method == "tools/list":
        send({"id": request["id"], "result": {"tools": [{"name": "echo", "inputSchema": ECHO}]}})
    elif method == "tools/call":
        call(request)
    else:
        send({"id": request["id"], "error": {"code": -32601, "message": "Method not found"}})
