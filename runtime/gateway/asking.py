"""Approvals from the user of the client: what a terminal is to `atlas run`, elicitation is to the gateway."""

from __future__ import annotations

from contextvars import ContextVar

from mcp.shared.exceptions import MCPError

from ..approval import Answer, ApprovalRequest, Decision, question
from .caller import Caller, Json

CALLER: ContextVar[Caller | None] = ContextVar("caller", default=None)
"""Whose call the current task serves."""

_ONCE, _ALWAYS, _NO = "allow this call", "allow this tool from now on", "refuse"
_SCHEMA: Json = {
    "type": "object",
    "properties": {"decision": {"type": "string", "title": "Decision", "enum": [_ONCE, _ALWAYS, _NO]}},
    "required": ["decision"],
}
_ANSWERS: dict[object, Answer] = {_ONCE: True, _ALWAYS: "always"}


async def ask_client(request: ApprovalRequest) -> Answer | Decision:
    """Show server, tool and exact arguments to the client's user; anything but a clear yes is a no."""
    caller = CALLER.get()
    if caller is None or not caller.can("elicitation/create"):
        return Decision(
            False, "function", f"{request.tool} needs approval, and the client cannot ask its user: "
            "`atlas serve --approve auto` would allow it",
        )  # fmt: skip
    try:
        answer = await caller.ask(
            "elicitation/create", {"mode": "form", "message": question(request), "requestedSchema": _SCHEMA}
        )
    except MCPError as problem:
        return Decision(False, "function", f"{request.tool} was not approved: the client answered {problem.message[:200]}")
    content = answer.get("content")
    if answer.get("action") != "accept" or not isinstance(content, dict):
        return False
    return _ANSWERS.get(content.get("decision"), False)
