"""One running program, as the host sees it: judges every message of the worker, keeps budgets and records.

No input or output here: the drivers (`Sandbox.run` blocking, `driver.py` in an event loop) move the bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from .errors import ToolError
from .frames import FrameError, encode
from .limits import Limits
from .outcome import CallRecord, ErrorInfo
from .wire import encode_result

_TEXT_CHARS = 2_000
BUDGETS = frozenset({"wall_seconds", "memory_mb", "max_calls", "max_output_bytes", "cpu_seconds", "max_result_bytes"})
"""What `error.type` says when `status` is `limit`."""


class Call(NamedTuple):
    """A tool call of the program, checked."""

    id: int
    tool: str
    arguments: dict[str, Any]


@dataclass(slots=True)
class End:
    """Why a program is over; `alive` says whether its worker can run another."""

    status: str
    error: ErrorInfo | None
    alive: bool
    value: Any = None
    answered: bool = False


class Program:
    """The host's half of one program."""

    def __init__(
        self, limits: Limits, tools: Mapping[str, Any], now: Callable[[], float], *, first_id: int, cpu_before: float
    ) -> None:
        self.limits, self.tools, self.now = limits, tools, now
        self.next_id = first_id
        self.cpu_before = cpu_before
        self.started = time.monotonic()
        self.deadline = self.started + limits.wall_seconds
        self.end: End | None = None
        self.output: list[str] = []
        self.output_bytes = 0
        self._records: dict[int, CallRecord] = {}
        self.variables: dict[str, str] = {}
        self.names: tuple[str, ...] = ()
        self._call_count = 0
        self._open: dict[int, tuple[Call, float]] = {}

    # -- messages of the worker

    def take(self, message: dict[str, Any]) -> Call | bytes | None:
        """Judge one message: a call to make, bytes to answer at once, or nothing. Raises `FrameError` on abuse."""
        kind = message.get("t")
        if kind == "call":
            return self._take_call(message)
        if kind == "out":
            self._take_output(message)
        elif kind == "now":
            number = self._take_id(message)
            return encode({"t": "ret", "id": number, "value": float(self.now())})
        elif kind == "done":
            self._take_done(message)
        else:
            raise FrameError("unknown kind of message")
        return None

    def _take_id(self, message: dict[str, Any]) -> int:
        number = message.get("id")
        if type(number) is not int or number != self.next_id:
            raise FrameError("a call id is out of order")
        self.next_id += 1
        return number

    def _take_call(self, message: dict[str, Any]) -> Call | None:
        number = self._take_id(message)
        tool, arguments = message.get("tool"), message.get("args")
        if type(tool) is not str or tool not in self.tools:
            raise FrameError("a call of an unknown tool")
        if type(arguments) is not dict:
            raise FrameError("arguments must be an object")
        self._call_count += 1
        if self._call_count > self.limits.max_calls:
            self.over("max_calls", f"more than {self.limits.max_calls} tool calls")
            return None
        call = Call(number, tool, arguments)
        self._open[number] = (call, time.monotonic())
        return call

    def _take_output(self, message: dict[str, Any]) -> None:
        text = message.get("text")
        if type(text) is not str:
            raise FrameError("output must be text")
        room = self.limits.max_output_bytes - self.output_bytes
        data = text.encode("utf-8", "replace")
        self.output.append(data[:room].decode("utf-8", "ignore") if len(data) > room else text)
        self.output_bytes += min(len(data), room)
        if len(data) > room:
            self.over("max_output_bytes", f"more than {self.limits.max_output_bytes} bytes of output; print less")

    def _take_done(self, message: dict[str, Any]) -> None:
        status = message.get("status")
        if status not in ("ok", "error", "refused", "limit"):
            raise FrameError("unknown status")
        error = _error_info(message.get("error"))
        if (error is None) != (status == "ok") or (status == "limit" and error and error.type not in BUDGETS):
            raise FrameError("status and error disagree")
        self.variables = _texts(message.get("variables", {}))
        names = message.get("names", [])
        if type(names) is not list or len(names) > 200:
            raise FrameError("names must be a short list")
        self.names = tuple(str(name)[:200] for name in names)
        value, answered = message.get("value"), message.get("answered") is True
        memory = error is not None and status == "limit" and error.type == "memory_mb"
        self.end = End(status, error, not memory, value, answered)
        if value is not None and len(encode({"v": value})) > self.limits.max_result_bytes + 64:
            self.over("max_result_bytes", f"the result takes more than {self.limits.max_result_bytes} bytes")

    def over(self, budget: str, message: str) -> None:
        """End the program from outside: a budget is used up."""
        self.end = End("limit", ErrorInfo(budget, message), alive=False)

    def kill(self, kind: str, message: str) -> None:
        """End the program from outside: its worker died or must die."""
        self.end = End("killed", ErrorInfo(kind, message), alive=False)

    # -- returns to the worker

    def reply(self, number: int, value: Any) -> bytes:
        """The frame that returns `value`; too large a value becomes a `ToolError` in the program."""
        try:
            data = encode_result(number, value)
        except (TypeError, ValueError, RecursionError) as error:
            return self.fail(number, ToolError(f"the result is not JSON: {error}"[:_TEXT_CHARS], "invalid_result"))
        if len(data) > self.limits.max_frame_bytes:
            text = f"the result takes {len(data)} bytes; the limit is {self.limits.max_frame_bytes}"
            return self.fail(number, ToolError(text, "too_large"))
        self._close(number, True)
        return data

    def fail(self, number: int, error: ToolError) -> bytes:
        """The frame that raises `error` in the program."""
        self._close(number, False)
        message, kind = str(error.message)[:_TEXT_CHARS], str(error.kind)[:80]
        return encode({"t": "err", "id": number, "message": _utf8(message), "kind": _utf8(kind)})

    def _close(self, number: int, ok: bool) -> None:
        call, began = self._open.pop(number)
        self._records[number] = CallRecord(call.tool, call.arguments, ok, time.monotonic() - began, number)

    def records(self) -> list[CallRecord]:
        """All calls in program order; one that never returned is not ok."""
        for number in list(self._open):
            self._close(number, False)
        return [self._records[number] for number in sorted(self._records)]

    # -- time

    def check_time(self, cpu_clock: float, paused: bool) -> float:
        """Seconds until the next check; ends the program when its time is up."""
        left = self.deadline - time.monotonic()
        cpu_left = self.limits.cpu_seconds - (cpu_clock - self.cpu_before)
        if left <= 0 and not paused:
            waiting = ", ".join(dict.fromkeys(call.tool for call, _ in self._open.values()))
            reason = f" (waiting for {waiting[:200]})" if waiting else ""
            self.over("wall_seconds", f"not done after {self.limits.wall_seconds:g} seconds{reason}")
        elif cpu_left <= 0:
            self.over("cpu_seconds", f"more than {self.limits.cpu_seconds:g} seconds of computing")
        return max(0.0005, min(1.0 if paused else left, cpu_left))


def _error_info(error: Any) -> ErrorInfo | None:
    if error is None:
        return None
    if type(error) is not dict or type(error.get("type")) is not str or type(error.get("message")) is not str:
        raise FrameError("an error must have type and message")
    line = error.get("line")
    if line is not None and (type(line) is not int or not 0 <= line < 10**7):
        raise FrameError("a line must be a number")
    return ErrorInfo(error["type"][:200], error["message"][:_TEXT_CHARS], line)


def _texts(value: Any) -> dict[str, str]:
    if type(value) is not dict or len(value) > 50 or not all(type(text) is str for text in value.values()):
        raise FrameError("variables must be a short object of text")
    return {name[:200]: text[:120] for name, text in value.items()}


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
