"""`--acting json`: one JSON tool call a reply instead of a program, as most agents act; for comparison.

A call becomes a program of one line, so that everything after it (gate, journal, limits, results) is the same.
"""

from __future__ import annotations

from .extract import Extracted, extract_program

SYSTEM = """\
You complete tasks by calling tools, one call a reply. Your whole reply is one JSON object, without explanation:
{"name": "server.tool", "arguments": {"parameter": "value"}}
The result comes back in the next message. More tools: {"name": "search_tools", "arguments": {"query": "what you need"}}
When the task is done: {"name": "answer", "arguments": {"value": ...}} with just the value. If no tool can do the task,
the value is "Cannot: no tool does this."
"""
NO_CALL = "the reply is not one JSON object with name and arguments"


def extract_call(reply: str) -> Extracted:
    """The call in `reply` as a program, or no program where it holds none."""
    found = extract_program(reply)
    if found.kind == "tool_call":
        return found
    return Extracted(None, "prose", found.thinking)
