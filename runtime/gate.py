"""What stands between a program and the tools: every call is checked, allowed and journalled here, in the host.

Order: name, arguments, approval, then the journal says "sent" and only then the call leaves; its return is in the journal
before the program sees it. A call with a recorded return is answered from the journal and never sent again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from ..sandbox.errors import ToolError
from ..tools_registry.errors import RegistryError, ServerError, ToolChanged, UnknownTool
from .approval import Approval, Decision, has_terminal, read_line, show_text, visible
from .episodes.journal import Journal, Place, offer_hash
from .episodes.replay import Replay
from .errors import UnknownFate
from .events import ApprovalAsked, ApprovalGiven, CallFinished, CallProgress, CallStarted, Event
from .kept import READ_CHARS, Kept, NotKept
from .lanes import Lanes
from .prompt import call_text
from .view import READ_RESULT, MetaToolError, View

if TYPE_CHECKING:
    from ..tools_registry.tool import Tool
    from .episodes.rows import CallRow
    from .resending import Resending
    from .setup import HostFunction

_BY_SOMEONE = ("terminal", "function", "journal")
"""Who has looked at a tool before it was called."""
Fate = Literal["repeat", "report", "stop"]
"""Send it again, raise `ToolError` of kind `unknown_fate` in the program, or stop with `UnknownFate`."""


@dataclass(frozen=True, slots=True)
class PendingCall:
    """A call that was in flight when its run died."""

    number: int
    tool: str
    arguments: dict[str, Any]
    sent_at: float


InFlight = Fate | Literal["ask"] | Callable[[PendingCall], Fate | Awaitable[Fate]]
"""What to do with such a call; `ask` asks at the terminal, and stops where there is none."""


async def ask_fate(call: PendingCall) -> Fate:
    """Ask at the terminal what to do with a call that was in flight."""
    show_text(f"{visible(call_text(call.tool, call.arguments))} was in flight when the run died; it may have been done.\n")
    while True:
        show_text("[r]epeat it, [t]ell the program that its fate is unknown, or [s]top: ")
        word = (await read_line() or "s").strip().lower()
        for fate in get_args(Fate):
            if word and word in (fate, fate[0] if fate != "report" else "t"):
                return cast(Fate, fate)


class Gate:
    """The `call` that the sandbox of one run is given."""

    def __init__(
        self, view: View, approval: Approval, journal: Journal, emit: Callable[[Event], None], *,
        replay: Replay | None = None, in_flight: InFlight = "ask", resend: Resending | None = None,
        lanes: Lanes | None = None, kept: Kept | None = None, functions: Mapping[str, HostFunction] | None = None,
    ) -> None:  # fmt: skip
        """`resend`: recorded calls that a fork makes again in its fresh world.
        `kept` takes results that are too large for a program; without it they are errors. `functions` are answered by the
        host itself."""
        self.view = view
        self.registry = view.registry
        self.approval = approval
        self.journal = journal
        self.replay = replay or Replay()
        self.emit = emit
        self.lanes = lanes or Lanes(100, 50)
        self.in_flight = in_flight
        self.resend = resend
        self.kept = kept
        self.functions = functions or {}
        self.turn = 0
        self.made = 0
        self.effects: list[str] = []
        """Calls of this turn's program that succeeded and may have changed something."""
        self.unasked: str | None = None
        """What nobody could be asked about in this turn, with the mend; where it ends a program, no other fares better."""
        self.called_servers: list[str] = []
        """Original names of the servers that calls were sent to."""
        self.unreachable: dict[str, str] = {}
        """Servers that failed, with what they said."""
        self._open: set[int] = set()
        self.paused: Callable[[], AbstractContextManager[None]] = nullcontext
        self._times = 0

    def start_turn(self, turn: int) -> None:
        """A new program begins."""
        self.turn, self.made, self._times, self.effects, self.unasked = turn, 0, 0, [], None
        self._open.clear()

    def end_turn(self) -> None:
        """A program that was ended by a limit has left calls behind: nobody will hear what they return."""
        for number in sorted(self._open):
            self.journal.call_failed(number, "cancelled", "the program was ended before this call came back")
        self._open.clear()

    async def resend_turn(self, turn: int) -> None:
        """Bring a fork's fresh world past a turn whose program is not run again."""
        if self.resend is not None:
            await self.resend.turn(turn)

    def clock(self, now: Callable[[], float]) -> float:
        """What `datetime.now()` in a program says: the recorded value in a replay, else the time, recorded."""
        place, self._times = self._times, self._times + 1
        recorded = self.replay.time(self.turn, place)
        if recorded is not None:
            return recorded
        value = now()
        self.journal.time_read(self.turn, place, value)
        return value

    def __call__(self, tool: str, arguments: dict[str, Any]) -> Coroutine[Any, Any, Any]:
        """Answer one call. The order of calls is taken here, before anything is awaited."""
        if tool == "load_tools":
            return self._load(arguments)
        if tool == READ_RESULT:
            return self._read_kept(arguments)
        position, self.made = self.made, self.made + 1
        recorded = self.replay.take(self.turn, position, tool, arguments)
        if recorded is not None and recorded.finished:
            return self._recorded(recorded)
        place = Place(recorded.number if recorded else self.journal.next_call(), self.turn, position)
        if tool == "search_tools":
            return self._search(place, arguments)
        if tool in self.functions:
            return self._hosted(place, tool, arguments, recorded)
        return self._live(place, tool, arguments, recorded)

    async def _load(self, arguments: dict[str, Any]) -> None:
        try:
            self.view.load(arguments)
        except MetaToolError as problem:
            raise ToolError(str(problem), kind="not_found") from None

    async def _read_kept(self, arguments: dict[str, Any]) -> str:
        if self.kept is None:
            raise ToolError("nothing is kept here", kind="not_found")
        try:
            return self.kept.read(arguments.get("path"), arguments.get("start", 0), arguments.get("length", READ_CHARS))
        except NotKept as problem:
            raise ToolError(str(problem), kind="not_found") from None

    async def _search(self, place: Place, arguments: dict[str, Any]) -> list[str]:
        try:
            found = self.view.search(arguments)
        except MetaToolError as problem:
            raise ToolError(str(problem), kind="invalid") from None
        self.journal.call_settled(place, "search_tools", arguments, ok=True, value=found)
        return found

    async def _hosted(self, place: Place, name: str, arguments: dict[str, Any], recorded: CallRow | None) -> Any:
        """A function of the host, such as `ask`: journalled like a call; the program's clock stands still meanwhile."""
        if recorded is not None:
            await self._decide_fate(place, recorded)
        self.journal.call_sent(place, name, arguments, schema="", repeatable=False, decision=None, decided_by=None)
        self._open.add(place.number)
        self.emit(CallStarted(self.journal.episode, self.turn, place.number, name, arguments))
        started = time.perf_counter()
        try:
            with self.paused():
                value = await self.functions[name].call(arguments, self.journal.episode)
        except ToolError as problem:
            self.journal.call_failed(place.number, problem.kind, problem.message)
            self._open.discard(place.number)
            self._finished(place, name, started, error=problem.message)
            raise
        self.journal.call_returned(place.number, value)
        self._open.discard(place.number)
        self._finished(place, name, started, value=value)
        return value

    async def _recorded(self, call: CallRow) -> Any:
        await self.replay.in_order(call)
        if self.resend is not None:
            await self.resend.call(call)
        tool = self.registry.tools.get(call.tool)
        if call.ok and tool is not None and not tool.read_only:
            self.effects.append(call_text(call.tool, call.arguments))
        self.emit(CallFinished(
            self.journal.episode, self.turn, call.number, call.tool, bool(call.ok),
            (call.returned_at or 0) - (call.sent_at or call.returned_at or 0), call.value, call.error_message, replayed=True,
        ))  # fmt: skip
        if call.ok:
            return call.value
        raise ToolError(call.error_message or "failed", kind=call.error_kind or "failed")

    async def _live(self, place: Place, name: str, arguments: dict[str, Any], recorded: CallRow | None) -> Any:
        try:
            tool = self._known(name)
            sent = self.registry.validate(tool, arguments)
        except RegistryError as problem:
            self._refuse(place, name, arguments, problem.kind, problem.message)
            raise ToolError(problem.message, kind=problem.kind) from None
        if recorded is not None and not (recorded.repeatable or tool.read_only or tool.idempotent):
            await self._decide_fate(place, recorded)
        decision = await self._approved(tool, arguments, recorded)
        if not decision.allowed:
            self.unasked = decision.reason if decision.by == "no_terminal" else self.unasked
            self._refuse(place, name, arguments, "denied", decision.reason, decision)
            raise ToolError(decision.reason, kind="denied")
        try:
            async with self.lanes.lane(tool.server):
                return await self._send(place, tool, arguments, decision, sent, recorded)
        except ToolChanged:  # only of a call in flight: what allowed to repeat it unasked holds no more
            assert recorded is not None
            await self._decide_fate(place, recorded)
        return await self._live(place, name, arguments, None)

    def _known(self, name: str) -> Tool:
        tool = self.registry.tools.get(name)
        if tool is None:
            near = self.registry.nearest(name)
            raise UnknownTool(f"no tool {name}" + (f" (did you mean {near[0]}?)" if near else ""))
        return tool

    async def _approved(self, tool: Tool, arguments: dict[str, Any], recorded: CallRow | None) -> Decision:
        if recorded is not None and (recorded.decision, recorded.schema_hash) == ("allowed", offer_hash(tool)):
            return Decision(True, "journal")
        decision = self.approval.rule(tool)
        if decision is None:
            self.emit(ApprovalAsked(
                self.journal.episode, self.turn, tool.full_name, tool.server_name or tool.server, arguments
            ))  # fmt: skip
            for _ in range(3):  # whoever shows events shows the program before the question
                await asyncio.sleep(0)
            with self.paused():
                decision = await self.approval.ask(tool, arguments)
            self.emit(ApprovalGiven(self.journal.episode, self.turn, tool.full_name, decision.allowed, decision.by))
        return decision

    async def _send(
        self, place: Place, tool: Tool, arguments: dict[str, Any], decision: Decision, sent: dict[str, object],
        recorded: CallRow | None,
    ) -> Any:  # fmt: skip
        self.journal.call_sent(
            place, tool.full_name, arguments, schema=offer_hash(tool),
            repeatable=tool.read_only or tool.idempotent, decision="allowed", decided_by=decision.by,
        )  # fmt: skip
        self._open.add(place.number)
        self._note_server(tool)
        self.emit(CallStarted(self.journal.episode, self.turn, place.number, tool.full_name, arguments))
        started = time.perf_counter()
        try:
            value = await self.registry.call(
                tool, arguments, sent=sent, as_approved=decision.by in _BY_SOMEONE, on_progress=self._reporter(place, tool),
                keep=self.kept.keep if self.kept else None,
            )  # fmt: skip
        except RegistryError as problem:
            if isinstance(problem, ServerError):
                self.unreachable[problem.server] = problem.message
            undecided = recorded is not None and isinstance(problem, ToolChanged)  # it may have been done before
            if not undecided:
                self.journal.call_failed(place.number, problem.kind, problem.message)
            self._open.discard(place.number)
            self._finished(place, tool.full_name, started, error=problem.message)
            if undecided:
                raise
            raise ToolError(problem.message, kind=problem.kind) from None
        self.journal.call_returned(place.number, value)
        self._open.discard(place.number)
        if not tool.read_only:
            self.effects.append(call_text(tool.full_name, arguments))
        self._finished(place, tool.full_name, started, value=value)
        return value

    def _reporter(self, place: Place, tool: Tool) -> Callable[[float, float | None, str | None], None]:
        def report(progress: float, total: float | None, message: str | None) -> None:
            episode = self.journal.episode
            self.emit(CallProgress(episode, self.turn, place.number, tool.full_name, progress, total, message))

        return report

    def _note_server(self, tool: Tool) -> None:
        name = tool.server_name or tool.server
        if name not in self.called_servers:
            self.called_servers.append(name)

    def _finished(self, place: Place, tool: str, started: float, *, value: Any = None, error: str | None = None) -> None:
        seconds = time.perf_counter() - started
        self.emit(CallFinished(self.journal.episode, self.turn, place.number, tool, error is None, seconds, value, error))

    def _refuse(
        self, place: Place, tool: str, arguments: dict[str, Any], kind: str, message: str, decision: Decision | None = None
    ) -> None:
        self.journal.call_settled(
            place, tool, arguments, ok=False, kind=kind, message=message,
            decision="refused" if decision else None, decided_by=decision.by if decision else None,
        )  # fmt: skip
        self._finished(place, tool, time.perf_counter(), error=message)

    async def _decide_fate(self, place: Place, call: CallRow) -> None:
        """A call was in flight when the run died, and nothing says that it may be sent twice."""
        shown = call_text(call.tool, call.arguments)
        fate = self.in_flight
        if fate == "ask":
            fate = ask_fate if has_terminal() else "stop"
        if callable(fate):
            with self.paused():
                told = fate(PendingCall(call.number, call.tool, call.arguments, call.sent_at or 0.0))
                fate = told if isinstance(told, str) else await told
        if fate == "repeat":
            return
        if fate == "stop":
            raise UnknownFate(
                f"the run died while {shown} was in flight: it may or may not have been done",
                where=f"episode {call.episode}, call {call.number}",
                mend="look at what it did, then resume with --in-flight repeat (sent again) or report (told to the program)",
            )
        message = f"{shown} was sent before an interruption, and whether it was done is unknown"
        self.journal.call_failed(place.number, "unknown_fate", message)
        raise ToolError(message, kind="unknown_fate")
