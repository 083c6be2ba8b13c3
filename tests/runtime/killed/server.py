"""A stdio server, written without the SDK so that it starts fast, that enters every call into a ledger before answering."""

from __future__ import annotations

import json
import os
import sys
import time

SCHEMA = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}
TOOLS = [
    {"name": "add", "description": "Add a line to the ledger.", "inputSchema": SCHEMA},
    {"name": "look", "description": "Look something up; may be done again.", "inputSchema": SCHEMA},
]


def answer(method: str, parameters: dict) -> dict:
    if method == "initialize":
        version = parameters["protocolVersion"]
        return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": {"name": "ledger", "version": "1"}}
    if method == "tools/list":
        return {"tools": TOOLS}
    if method == "tools/call":
        tool, number = parameters["name"], parameters["arguments"]["number"]
        with open(sys.argv[1], "a") as ledger:
            ledger.write(f"{tool} {number} {os.getpid()}\n")
        time.sleep(0.01)
        value = number * number if tool == "add" else number + 100
        return {"content": [{"type": "text", "text": json.dumps(value)}]}
    raise LookupError(method)


for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    reply = {"jsonrpc": "2.0", "id": message["id"]}
    try:
        reply["result"] = answer(message["method"], message.get("params") or {})
    except LookupError:
        reply["error"] = {"code": -32601, "message": "method not found"}
    print(json.dumps(reply), flush=True)
