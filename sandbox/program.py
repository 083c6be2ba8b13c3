"""One running program, as the host sees it: judges every message of the worker, keeps budgets and records.

No input or output here: the drivers (`Sandbox.run` blocking, `driver.py` in an event loop) move the bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from .errors import ToolError
from .frames import FrameBuffer, FrameError, Message, encode
from .limits import Limits
from .outcome import CallRecord, ErrorInfo, Status
from .wire import Shape, encode_result

_TEXT_CHARS = 2_000
_LARGE = 1 << 63
BUDGETS = frozenset({
    "wall_seconds", "memory_mb", "max_calls", "max_output_bytes", "cpu_seconds", "max_result_bytes", "max_sent_bytes",
})
"""What `error.type` says when `status` is `limit`."""


class Call(NamedTuple):
    """A tool call of the program, checked."""

    id: int
    tool: str
    arguments: dict[str, Any]


@dataclass(slots=True)
class End:
    """Why a program is over; `alive` says whether its worker can run another."""

    status: Status
    error: ErrorInfo | None
    alive: bool
    value: Any = None
    answered: bool = False


class Program:
    """The host's half of one program."""

    end: End | None = None
    output_bytes = 0
    names: tuple[str, ...] | None = None
    """What its worker keeps for the next program; None where that is what it kept before."""
    variables: dict[str, str] | None = None
    _call_count = 0

    def __init__(
        self, limits: Limits, shapes: Mapping[str, Shape], now: Callable[[], float], *, first_id: int, cpu_before: float,
        incoming: FrameBuffer,
    ) -> None:  # fmt: skip
        self.limits, self.shapes, self.now = limits, shapes, now
        self.next_id = first_id
        self.cpu_before = cpu_before
        self._incoming, self._most_taken = incoming, incoming.taken + limits.max_sent_bytes
        self.started = time.monotonic()
        self.deadline = self.started + limits.wall_seconds
        self.first_check = self.started + min(limits.wall_seconds, limits.cpu_seconds)
        """When its time can be up at the earliest."""
        self.output: list[str] = []
        self._records: dict[int, CallRecord] = {}
        self._open: dict[int, tuple[Call, float]] = {}

    # -- messages of the worker

    def take(self, message: Message) -> Call | bytes | None:
        """Judge one message: a call to make, bytes to answer at once, or nothing. Raises `FrameError` on abuse."""
        if type(message) is list:
            return self._take_call(message)
        assert type(message) is dict
        kind = message.get("t")
        if kind == "out":
            self._take_output(message.get("text"))
        elif kind == "now":
            number = self._take_id(message.get("id"))
            return encode([number, float(self.now())])
        elif kind == "done":
            self._take_done(message)
        else:
            raise FrameError("unknown kind of message")
        return None

    def _take_id(self, number: Any) -> int:
        if type(number) is not int or number != self.next_id:
            raise FrameError("a call id is out of order")
        self.next_id = number + 1
        return number

    def _take_call(self, message: list[Any]) -> Call | None:
        if len(message) != 3:
            raise FrameError("a call must have id, tool and arguments")
        number, tool, arguments = message
        self._take_id(number)
        if type(tool) is not str or tool not in self.shapes:
            raise FrameError("a call of an unknown tool")
        if type(arguments) is not dict:
            raise FrameError("arguments must be an object")
        shape = self.shapes[tool]  # the worker binds arguments by the same rules, so an honest one never fails here
        if not shape.required <= arguments.keys():
            raise FrameError("a call without a required argument")
        if shape.allowed is not None and not arguments.keys() <= shape.allowed:
            raise FrameError("a call with an unknown argument")
        self._call_count += 1
        if self._call_count > self.limits.max_calls:
            self.over("max_calls", f"more than {self.limits.max_calls} tool calls")
            return None
        if self._incoming.taken > self._most_taken:
            self.over("max_sent_bytes", f"the calls' arguments take more than {self.limits.max_sent_bytes} bytes together")
            return None
        call = Call(number, tool, arguments)
        self._open[number] = (call, time.monotonic())
        return call

    def _take_output(self, text: Any) -> None:
        if type(text) is not str:
            raise FrameError("output must be text")
        if not text:
            return
        room = self.limits.max_output_bytes - self.output_bytes
        data = text.encode("utf-8", "replace")
        self.output.append(data[:room].decode("utf-8", "ignore") if len(data) > room else text)
        self.output_bytes += min(len(data), room)
        if len(data) > room:
            self.over("max_output_bytes", f"more than {self.limits.max_output_bytes} bytes of output; print less")

    def _take_done(self, message: dict[str, Any]) -> None:
        if "output" in message:
            self._take_output(message["output"])
            if self.end is not None:
                return  # it was too much
        status: Any = message.get("status")
        if status not in ("ok", "error", "refused", "limit"):
            raise FrameError("unknown status")
        error = message.get("error")
        if error is not None:
            error = _error_info(error)
        if (error is None) != (status == "ok") or (status == "limit" and error and error.type not in BUDGETS):
            raise FrameError("status and error disagree")
        if "variables" in message:
            self.variables = _texts(message["variables"])
        if "names" in message:
            self.names = _names(message["names"])
        value, answered = message.get("value"), message.get("answered") is True
        memory = error is not None and status == "limit" and error.type == "memory_mb"
        self.end = End(status, error, not memory, value, answered)
        if not _is_small(value) and len(encode({"v": value})) > self.limits.max_result_bytes + 64:
            self.over("max_result_bytes", f"the result takes more than {self.limits.max_result_bytes} bytes")

    def over(self, budget: str, message: str) -> None:
        """End the program from outside: a budget is used up."""
        self.end = End("limit", ErrorInfo(budget, message), alive=False)

    def check_waiting(self, waiting_bytes: int) -> None:
        """End the program when more waits to be read by its worker than the worker could hold."""
        if waiting_bytes > self.limits.memory_mb * 2**20:
            self.over("memory_mb", f"results that were not read yet take more than {self.limits.memory_mb:g} MB")

    def kill(self, kind: str, message: str) -> None:
        """End the program from outside: its worker died or must die."""
        self.end = End("killed", ErrorInfo(kind, message), alive=False)

    # -- returns to the worker

    def reply(self, number: int, value: Any) -> bytes:
        """The frame that returns `value`; too large a value becomes a `ToolError` in the program."""
        try:
            data = encode_result(number, value)
        except Exception as error:  # a result may be an object with code of its own
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
        return encode([number, None, _utf8(message), _utf8(kind)])

    def _close(self, number: int, ok: bool) -> None:
        call, began = self._open.pop(number)
        self._records[number] = CallRecord(call.tool, call.arguments, ok, time.monotonic() - began, number)

    def records(self) -> list[CallRecord]:
        """All calls in program order; one that never returned is not ok."""
        if not self._records and not self._open:
            return []
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


def _error_info(error: Any) -> ErrorInfo:
    if type(error) is not dict or type(error.get("type")) is not str or type(error.get("message")) is not str:
        raise FrameError("an error must have type and message")
    line = error.get("line")
    if line is not None and (type(line) is not int or not 0 <= line < 10**7):
        raise FrameError("a line must be a number")
    return ErrorInfo(error["type"][:200], error["message"][:_TEXT_CHARS], line)


def _is_small(value: Any) -> bool:
    """Whether a result takes so few bytes that every limit allows it."""
    kind = type(value)
    return value is None or kind is bool or kind is float or (kind is int and -_LARGE < value < _LARGE)


def _names(value: Any) -> tuple[str, ...]:
    if type(value) is not list or len(value) > 200:
        raise FrameError("names must be a short list")
    return tuple(str(name)[:200] for name in value)


def _texts(value: Any) -> dict[str, str]:
    if type(value) is not dict or len(value) > 50 or not all(type(text) is str for text in value.values()):
        raise FrameError("variables must be a short object of text")
    return {name[:200]: text[:120] for name, text in value.items()}


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
