"""A hand-written server of the older era (2025-06-18): asks in the middle of a call, says more than the protocol knows."""

import json
import sys

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "x-vendor": {"kept": True}}
TOOLS = [
    {"name": "echo", "description": "Say it again.", "inputSchema": TEXT, "vendorField": {"deep": [1]}},
    {"name": "ask", "description": "Asks.", "inputSchema": {"type": "object"}},
    {"name": "fail", "inputSchema": {"type": "object"}},
    {"name": "broken"},
]


def send(message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def text(said, **more):
    return {"content": [{"type": "text", "text": said}], **more}


def ask():
    form = {"type": "object", "properties": {"colour": {"type": "string"}}}
    question = {"message": "your colour?", "requestedSchema": form}
    send({"id": "question", "method": "elicitation/create", "params": question})
    for line in sys.stdin:
        answer = json.loads(line)
        if answer.get("id") == "question":
            return text(json.dumps(answer.get("result") or answer.get("error")))


def answer(method, params):
    if method == "initialize":
        info = {"name": "old", "version": "1"}
        return {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info}
    if method == "tools/list":
        return {"tools": TOOLS}
    if method == "tools/call" and params["name"] == "echo":
        return text(params["arguments"]["text"], vendorField="kept")
    if method == "tools/call" and params["name"] == "ask":
        return ask()
    if method == "tools/call" and params["name"] == "fail":
        return None
    return {} if method == "ping" else None


for line in sys.stdin:
    message = json.loads(line)
    if "id" in message and "method" in message:
        result = answer(message["method"], message.get("params") or {})
        if result is None:
            send({"id": message["id"], "error": {"code": -32099, "message": "not today", "data": {"until": "tomorrow"}}})
        else:
            send({"id": message["id"], "result": result})
