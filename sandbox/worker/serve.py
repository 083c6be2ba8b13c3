"""The life of a worker: one program after another, in the same variables."""

from __future__ import annotations

import contextlib
import enum
import gc
import types
from difflib import get_close_matches
from typing import Any

from ..frames import encode, without_surrogates
from .channel import Channel, LimitReached
from .checking import Known
from .compiling import Refused, compile_program
from .guards import Members, ProgramClass, Shape
from .names import MISSING, Names
from .names_in_code import may_change
from .namespaces import MODULES, Placeholder, namespaces
from .policy import MESSAGE_CHARS
from .scheduler import Scheduler
from .tools import Tool, toolspace
from .values import Plain, TooLarge, describe, without_addresses

_MOST_VARIABLES = 50
_MOST_NAMES = 200
_CORO = 0x80
_NO_ERRORS = contextlib.suppress(BaseException)
_COLLECT_OBJECTS = 500
_LARGE = 1 << 53
_SMALL_BYTES = 64
"""No result below `_LARGE` takes more than this."""
_NOTHING: tuple[list[str], dict[str, str]] = ([], {})
_SHARED = frozenset({Members, Placeholder, Shape, types.BuiltinFunctionType})
_META_TOOLS = ("search_tools", "load_tools")


class Worker:
    """Everything that is alive between the programs of one sandbox."""

    def __init__(self, channel: Channel, *, raw: bool) -> None:
        self.channel = channel
        self.scheduler = Scheduler(channel)
        self.names = Names(channel, self.scheduler, namespaces(self.scheduler, channel.now, channel.write))
        self.variables: dict[str, Any] = {"__builtins__": self.names.table}
        self._known = Known(self.names.table, self.variables, self._meant)
        self.raw = raw
        self._limits: dict[str, Any] = {}
        self._count = 0
        self._told, self._held = _NOTHING, 1
        self._code: types.CodeType | None = None
        self._reserve: bytearray | None = None  # given back when memory runs out, so that the end can be told

    def serve(self) -> None:
        """Run what the host sends until it closes the pipe."""
        while True:
            self.serve_one()

    def serve_one(self) -> None:
        """Take one message and do what it says."""
        message = self.channel.read()
        if not isinstance(message, dict):
            return  # what a call gave that nobody waits for any more
        kind = message["t"]
        if kind == "run":
            self._serve_program(message)
        elif kind == "fresh":
            self._forget()
        elif kind == "raw" and self.raw:
            self._serve_raw(message["source"])

    def _serve_program(self, message: dict[str, Any]) -> None:
        if self._reserve is None:
            self._reserve = bytearray(1 << 18)
        done = self._program(message)
        self.channel.running = False
        if self.scheduler.left or gc.get_count()[0] > _COLLECT_OBJECTS:
            with _NO_ERRORS:  # closing what is left runs code of the program, within its time
                self.scheduler.reset()
                if gc.get_count()[0] > _COLLECT_OBJECTS:
                    gc.collect()
        self.channel.send(done)

    def _forget(self) -> None:
        """After the rehearsal: be as if no program had run."""
        self.variables.clear()
        self.variables["__builtins__"] = self.names.table
        self.names.use_tools({})
        self.names.begin()
        self.names.ahead.unjudged.clear()
        self._limits, self._count, self._told, self._held = {}, 0, _NOTHING, 1
        gc.collect()
        gc.freeze()
        self.channel.send({"t": "fresh"})
        self.channel.next_id = 1

    def _program(self, message: dict[str, Any]) -> dict[str, Any]:
        limits = self._limits = message.get("limits") or self._limits
        self.channel.begin(limits["max_calls"], limits["max_output_bytes"])
        self.channel.frame_limit = limits["max_frame_bytes"]
        self.names.begin()
        self.names.ahead.begin(*message.get("ahead", (0, 0)))
        self._count += 1
        self._code = None
        if "tools" in message:
            self.names.use_tools(toolspace(self.channel, self.scheduler, message["tools"]))
        filename = f"<program {self._count}>"
        try:
            code = compile_program(
                message["source"], filename, max_nodes=limits["max_nodes"], modules=MODULES, servers=self.names.tools,
                known=self._known, strict=message["check"], ahead=self.names.ahead,
            )  # fmt: skip
        except Refused as refused:
            one = refused.refusal
            return self._done("refused", error=_error(one.type, one.message, one.line))
        return self._execute(code, filename, limits["max_result_bytes"])

    def _execute(self, code: types.CodeType, filename: str, max_result_bytes: int) -> dict[str, Any]:
        self._code = code
        self.channel.running = True
        try:
            if code.co_flags & _CORO:
                self.scheduler.run(eval(code, self.variables))
            else:
                exec(code, self.variables)
            self.scheduler.drain()
            value = self._value(max_result_bytes)
            if self.channel.exceeded is not None:  # swallowed by a `finally`
                raise self.channel.exceeded
            return self._done("ok", value=value)
        except MemoryError as error:
            return self._out_of_memory(_line(error, filename))
        except BaseException as error:
            try:
                return self._failed(error, filename)
            except MemoryError:
                return self._out_of_memory(_line(error, filename))

    def _out_of_memory(self, line: int | None) -> dict[str, Any]:
        self._reserve = None
        self.channel.running = False
        self.variables.clear()
        return {"t": "done", "status": "limit", "error": _error("memory_mb", "out of memory", line)}

    def _failed(self, error: BaseException, filename: str) -> dict[str, Any]:
        text = "" if isinstance(error, LimitReached) else self._explain(error)
        limit = self.channel.exceeded
        self.scheduler.settle()
        line = _line(error, filename)
        if limit is not None:
            return self._done("limit", error=_error(limit.budget, str(limit), line))
        return self._done("error", error=_error(type(error).__name__, text, line))

    def _value(self, max_bytes: int) -> Any:
        value = self.names.answer if self.names.answered else self.names.shown
        if max_bytes >= _SMALL_BYTES and (value is None or (type(value) is int and -_LARGE < value < _LARGE)):
            return value
        try:
            plain = without_surrogates(Plain(strict=False).convert(value))
            size = len(encode({"v": plain}))
        except TooLarge as error:
            self.channel.exceed("max_result_bytes", f"{error}; answer with less")
        except RecursionError:
            size = max_bytes + 1
        if size > max_bytes:
            self.channel.exceed("max_result_bytes", f"the result takes more than {max_bytes} bytes; answer with less")
        return plain

    def _done(self, status: str, *, value: Any = None, error: dict[str, Any] | None = None) -> dict[str, Any]:
        done: dict[str, Any] = {"t": "done", "status": status}  # what is not said has not happened
        output = self.channel.rest()
        if output:
            done["output"] = output
        if status != "ok":
            done["error"] = error
        elif self.names.answered:
            done["value"], done["answered"] = value, True
        elif value is not None:
            done["value"] = value
        if self._code is None or len(self.variables) != self._held or may_change(
            self._code, self.variables, self.names.table
        ):
            self._tell_variables(done)
            self._held = len(self.variables)
        return done

    def _tell_variables(self, done: dict[str, Any]) -> None:
        """Which variables there are, and what they hold, unless that is what was said last."""
        variables = self.variables
        for name in [name for name in variables if name[0] == "@"]:  # plans of loops and rows
            del variables[name]
        names = [name for name, value in variables.items() if name != "__builtins__" and _is_own(value)]
        told = (names[-_MOST_NAMES:], {name: _utf8(_describe(variables[name])) for name in names[-_MOST_VARIABLES:]})
        if told != self._told:
            self._told = told
            done["names"], done["variables"] = told

    def _explain(self, error: BaseException) -> str:
        try:
            text = str.__str__(str(error))  # an enumeration's text has methods of the program
        except MemoryError:
            raise
        except BaseException:
            text = ""
        text = without_addresses(text)
        if isinstance(error, NameError) and not isinstance(error, UnboundLocalError) and type(error.name) is str:
            text = f"name '{error.name}' is not defined{self._meant(error.name)}"
        return text if len(text) <= MESSAGE_CHARS else text[:MESSAGE_CHARS] + "..."

    def _meant(self, name: str) -> str:
        if name in MISSING:
            remedy = MISSING[name]
            return f"; {remedy}" if remedy else f"; {name}() is not available in programs"
        if name in MODULES:
            return f"; write `import {name}` first"
        if name in _META_TOOLS and name not in self.names.tools:
            there = [one for one in _META_TOOLS if one in self.names.tools]
            return f"; this run has {there[0]}" if there else "; this run has no such function: tools are called directly"
        full = [tool for server, one in self.names.tools.items() for tool in _members(server, one)]
        short = {tool.split(".")[-1]: tool for tool in full}
        known = {key for key in (*self.variables, *self.names.table) if not key.startswith(("@", "_"))}
        near = get_close_matches(name, known, 1, 0.7)
        if name in short:
            near = [short[name]]
        near = near or [short.get(one, one) for one in get_close_matches(name, short, 1, 0.6)]
        near = near or get_close_matches(name.replace("_", "."), full, 1, 0.6)
        return f"; did you mean '{near[0]}'?" if near else ""

    def _serve_raw(self, source: str) -> None:
        """For tests: plain Python in the locked worker, as if the language layer had fallen."""
        space: dict[str, Any] = {"result": None, "worker": self}
        try:
            exec(compile(source, "<raw>", "exec"), space)
            report = {"result": repr(space["result"])}
        except BaseException as error:
            report = {"error": f"{type(error).__name__}: {error}"}
        self.channel.send({"t": "raw", **{key: _utf8(text[:2_000]) for key, text in report.items()}})


def _is_own(value: Any) -> bool:
    """Whether the program made `value`; imported modules, classes and functions are there for every program."""
    kind = type(value)
    if kind in _SHARED:
        return False
    if isinstance(value, types.FunctionType):
        return value.__code__.co_filename.startswith("<program")
    return not isinstance(value, type) or kind in (ProgramClass, enum.EnumMeta)


def _describe(value: Any) -> str:
    return f"tool {value.name}" if type(value) is Tool else describe(value)


def _members(server: str, one: Any) -> list[str]:
    return [f"{server}.{name}" for name in one.members] if type(one) is Members else [server]


def _error(kind: str, message: str, line: int | None) -> dict[str, Any]:
    return {"type": _utf8(kind), "message": _utf8(message), "line": line}


def _utf8(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _line(error: BaseException, filename: str) -> int | None:
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == filename:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


