"""Who decides whether a tool that may change something is called: a rule, the person at the terminal, or a function.

Decided in the host before a call is sent. A decision is bound to the tool, its exact arguments, its schema and description;
"always" holds for one tool with one schema and description until the run ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from .episodes.journal import offer_hash
from .errors import UsageError

if TYPE_CHECKING:
    from ..tools_registry.tool import Tool

Mode = Literal["ask", "auto", "never"]


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """What a decision is about."""

    tool: str
    server: str
    """The server's own name, as in the configuration."""
    arguments: dict[str, Any]
    schema_hash: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a call may be sent, and who said so."""

    allowed: bool
    by: Literal["read_only", "auto", "never", "terminal", "function", "no_terminal", "journal"]
    reason: str = ""


Answer = bool | Literal["always"]
Decider = Callable[[ApprovalRequest], "Answer | Decision | Awaitable[Answer | Decision]"]
Approve = Mode | Decider


@dataclass(slots=True)
class Approval:
    """The decisions of one run."""

    approve: Approve = "ask"
    _always: set[tuple[str, str]] = field(default_factory=set)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        if not callable(self.approve) and self.approve not in get_args(Mode):
            raise UsageError(
                f"approve is {self.approve!r}", where="approve", mend="give 'ask', 'auto', 'never' or a function"
            )

    def rule(self, tool: Tool) -> Decision | None:
        """The decision where nobody needs to be asked."""
        if tool.read_only:
            return Decision(True, "read_only")
        if self.approve == "auto":
            return Decision(True, "auto")
        if self.approve == "never":
            return Decision(False, "never", f"{tool.full_name} may change something, and this run does not allow that")
        if (tool.full_name, offer_hash(tool)) in self._always:
            return Decision(True, "terminal" if self.approve == "ask" else "function", "allowed until the run ends")
        return None

    async def ask(self, tool: Tool, arguments: dict[str, Any]) -> Decision:
        """Ask whoever decides; one question at a time."""
        request = ApprovalRequest(
            tool.full_name, tool.server_name or tool.server, arguments, offer_hash(tool), tool.description
        )
        async with self._lock:
            known = self.rule(tool)
            if known is not None:
                return known
            answer, by = await self._answer(request)
        if isinstance(answer, Decision):
            return answer
        if answer == "always":
            self._always.add((request.tool, request.schema_hash))
        if answer is True or answer == "always":
            return Decision(True, by)
        if by == "no_terminal":
            reason = "needs approval, and there is no terminal to ask at: `--approve auto` would allow it"
            return Decision(False, by, f"{request.tool} {reason}")
        return Decision(False, by, f"{request.tool} was not approved")

    async def _answer(
        self, request: ApprovalRequest
    ) -> tuple[Answer | Decision, Literal["terminal", "function", "no_terminal"]]:
        if callable(self.approve):
            answer = self.approve(request)
            return (await answer if inspect.isawaitable(answer) else answer), "function"
        if not has_terminal():
            return False, "no_terminal"
        return await ask_at_terminal(request), "terminal"


def has_terminal() -> bool:
    """True when a person can be asked: standard input and standard error are a terminal."""
    try:
        return sys.stdin.isatty() and sys.stderr.isatty()
    except (AttributeError, ValueError):
        return False


async def ask_at_terminal(request: ApprovalRequest) -> Answer:
    """Show server, tool and exact arguments on standard error and read one line."""
    show_text(question(request))
    while True:
        show_text("allow? [y]es, [n]o, [a]lways in this run: ")
        line = await read_line()
        word = (line or "n").strip().lower()
        if word in ("y", "yes"):
            return True
        if word in ("a", "always"):
            return "always"
        if word in ("n", "no", ""):
            return False


def question(request: ApprovalRequest) -> str:
    """What the person sees; control characters of untrusted text are shown as escapes."""
    lines = [f"{visible(request.tool)} of server {visible(request.server)!r} wants to run with"]
    shown = [f"  {visible(name)} = {visible(repr(value))}" for name, value in request.arguments.items()]
    lines += shown or ["  no arguments"]
    return "\n".join(lines) + "\n"


def visible(text: str) -> str:
    """`text` with everything that could drive a terminal, or hide, written as an escape."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def show_text(text: str) -> None:
    """Write to the terminal at once."""
    sys.stderr.write(text)
    sys.stderr.flush()


async def read_line() -> str | None:
    """One line of standard input without blocking the event loop; None at its end."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[str | None] = loop.create_future()
    descriptor = sys.stdin.fileno()

    def read() -> None:
        if not ready.done():
            data = os.read(descriptor, 65_536)
            ready.set_result(data.decode("utf-8", "replace") if data else None)

    loop.add_reader(descriptor, read)
    try:
        return await ready
    finally:
        with contextlib.suppress(Exception):
            loop.remove_reader(descriptor)
