"""`Sandbox`: the host's side of programs. It trusts no message of a worker, and leaves none behind."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from . import nursery as nurseries
from .driver import PLAIN_TYPES, AsyncDriver
from .errors import SandboxBusy, SandboxClosed, SandboxError, ToolError
from .frames import FrameError, encode
from .limits import Limits
from .link import Link, WorkerGone
from .outcome import ErrorInfo, Outcome
from .program import Call, Program
from .wire import Shape, encode_text, shapes, tool_specs

CallFunction = Callable[[str, dict[str, Any]], Any]
Tools = Mapping[str, Mapping[str, Any]]


_TOLD = ("max_calls", "max_output_bytes", "max_nodes", "max_result_bytes", "max_frame_bytes")
"""Limits that the worker keeps too."""
_USED_UP = 0.875
"""The share of `memory_mb` from which on the death of a worker is a lack of memory."""


def _no_tools(tool: str, arguments: dict[str, Any]) -> Any:
    raise ToolError("this sandbox has no tools", "unavailable")


class Sandbox:
    """Runs programs in one locked worker; variables live on from program to program.

    Use it as a block (`with` or `async with`). A worker that a limit or a kill has ended is replaced at the next run,
    which starts without variables (`Outcome.lost` of the run that lost them names them).
    """

    def __init__(
        self, limits: Limits | None = None, *, unsafe: bool = False, check: bool = True, overlap: bool = True
    ) -> None:
        """`check` refuses a program that is certain to fail (unknown tools, wrong arguments or names) before it runs.
        `overlap` sends calls of read-only tools ahead where they do not depend on each other (`arun` only)."""
        self.limits = limits or Limits()
        self.check, self.overlap = check, overlap
        self.unsafe = unsafe
        self._nursery: nurseries.Nursery | None = None
        self._link: Link | None = None
        self._closed = False
        self._running = False
        self._raw = False
        self._names: tuple[str, ...] = ()
        self._variables: dict[str, str] = {}
        self._lost: tuple[str, ...] = ()
        self._told: tuple[Tools, frozenset[str]] | None = None
        self._shapes: dict[str, Shape] = {}
        self._sent_limits = False
        self._next_id = 1
        self._pauses = 0
        self._paused_at = 0.0
        self._refilled = False
        self._program: Program | None = None
        self._driver: AsyncDriver | None = None

    # -- the block

    def __enter__(self) -> Sandbox:
        self._open()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    async def __aenter__(self) -> Sandbox:
        self._open()
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.close()

    def _open(self) -> None:
        if self._closed:
            raise SandboxClosed("the sandbox is closed", where="sandbox", mend="make a new Sandbox")
        if self._nursery is not None and not self._nursery.alive:
            self._lost += self._names
            self._drop_worker()
            nurseries.release(self._nursery)
            self._nursery = None
        if self._nursery is None:
            self._nursery = nurseries.acquire()

    def close(self) -> None:
        """End the worker, and with it the program that `arun` is running. Closing twice is fine."""
        self._closed = True
        self._drop_worker()
        if self._nursery is not None:
            nurseries.release(self._nursery)
            self._nursery = None

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker, while there is one."""
        return self._link.pid if self._link is not None else None

    def start(self) -> None:
        """Make the worker now instead of at the first run (while a model is thinking, say)."""
        if self._link is not None:
            if self._nursery is not None and self._nursery.owner == os.getpid() and not self._link.has_strays():
                return
            self._lost += self._names  # it died, or was told to, between two programs
            self._drop_worker()
        self._open()
        if self._link is None:
            assert self._nursery is not None
            self._link = Link(self._nursery, self.limits, unsafe=self.unsafe, raw=self._raw)
            self._told, self._sent_limits, self._next_id, self._refilled = None, False, 1, False

    async def renewed(self) -> bool:
        """Make sure that there is a worker; true where the one before died since the last run, with all variables."""
        if self._running:
            raise SandboxBusy("a program is running in this sandbox", where="sandbox", mend="wait for it")
        if self._link is None or self._link.has_strays():
            await self._start_aside()
        return bool(self._lost)

    def _drop_worker(self) -> None:
        if self._driver is not None:
            self._driver.abort()
        if self._link is not None:
            link, self._link = self._link, None
            link.drop()
            self._refill()
        self._names, self._variables = (), {}

    def _refill(self) -> None:
        """Have the worker replaced that this sandbox took; asked for when nothing else is to be done."""
        if self._nursery is not None and not self._refilled:
            self._refilled = True
            self._nursery.refill()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the program's wall clock, for example while a person is asked whether a call may be made."""
        if self._pauses == 0:
            self._paused_at = time.monotonic()
        self._pauses += 1
        try:
            yield
        finally:
            self._pauses -= 1
            if self._pauses == 0 and self._program is not None:
                self._program.deadline += time.monotonic() - self._paused_at

    def guarantees(self) -> list[tuple[str, bool, str]]:
        """(layer, in force, detail) of a real worker, for `atlas doctor`."""
        self.start()
        assert self._link is not None
        layers = [(name, *self._link.layers[name]) for name in sorted(self._link.layers)]
        return [("language", True, "RestrictedPython policy, attributes by allow-list"), *layers]

    # -- running

    def run(
        self,
        source: str,
        tools: Tools | None = None,
        call: CallFunction = _no_tools,
        *,
        now: Callable[[], float] = time.time,
    ) -> Outcome:
        """Run a program; `call(tool, arguments)` answers its calls one by one, or raises `ToolError`."""
        early = self._refuse_early(source)
        if early is not None:
            return early
        self._claim()
        try:
            program, link = self._begin(source, tools or {}, now)
            try:
                self._drive(program, link, call)
            except (WorkerGone, FrameError) as error:
                self._died(program, error)
            except BaseException:
                self._drop_worker()
                raise
            return self._finish(program, link)
        finally:
            self._release()

    def _drive(self, program: Program, link: Link, call: CallFunction) -> None:
        """Until the program has ended."""
        check_at = program.first_check
        while program.end is None:
            message = link.wait(check_at) if time.monotonic() < check_at else None
            if message is None:
                left = program.check_time(link.cpu_seconds(), self._pauses > 0)
                check_at = time.monotonic() + left
                continue
            answer = program.take(message)
            if isinstance(answer, Call):
                answer = self._call_now(program, call, answer)
            if answer is not None:
                link.queue(answer)
                program.check_waiting(link.waiting_bytes)

    async def arun(
        self,
        source: str,
        tools: Tools | None = None,
        call: CallFunction = _no_tools,
        *,
        now: Callable[[], float] = time.time,
        read_only: Collection[str] = (),
    ) -> Outcome:
        """Run a program without blocking the event loop.

        `read_only` names the tools that are known to change nothing. Calls of them that do not depend on each other
        overlap, unless the sandbox was made with `overlap=False`; see `docs/programs.md`.

        `call` is invoked in program order. Where it returns an awaitable, that runs as a task of its own, so that calls
        which the program makes at once overlap; results are delivered to the program exactly in the order in which
        those tasks ended. What the program does next depends on that order and on nothing else, so a caller that lets
        its awaitables end in a recorded order replays the program.
        """
        early = self._refuse_early(source)
        if early is not None:
            return early
        self._claim()
        try:
            if self._link is None:
                await self._start_aside()
            program, link = self._begin(source, tools or {}, now, read_only if self.overlap else ())
            try:
                await self._drive_aside(AsyncDriver(program, link, call, lambda: self._pauses > 0))
            except (WorkerGone, FrameError) as error:
                self._died(program, error)
            except BaseException:
                self._drop_worker()
                raise
            return self._finish(program, link)
        finally:
            self._release()

    async def _drive_aside(self, driver: AsyncDriver) -> None:
        """Until the program has ended; known meanwhile, so that the worker is not dropped under it."""
        self._driver = driver
        try:
            await driver.drive()
        finally:
            self._driver = None

    async def _start_aside(self) -> None:
        """Make the worker in a thread; when cancelled, wait for it, so that it has an owner."""
        starting = asyncio.ensure_future(asyncio.to_thread(self.start))
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            with contextlib.suppress(Exception):
                await starting
            raise

    def _refuse_early(self, source: str) -> Outcome | None:
        """Refuse what need not go to the worker."""
        try:
            size = len(source.encode("utf-8"))
        except UnicodeEncodeError:
            error = ErrorInfo("SyntaxError", "the program holds text that is not valid Unicode")
        else:
            if size <= self.limits.max_source_bytes:
                return None
            text = f"the program has {size} bytes; at most {self.limits.max_source_bytes} are allowed"
            error = ErrorInfo("ProgramTooLarge", text)
        return Outcome("refused", error=error, variables=dict(self._variables))

    def _claim(self) -> None:
        """One program at a time; `_release` ends it."""
        if self._running:
            raise SandboxBusy("a program is running in this sandbox", where="sandbox",
                              mend="wait for it, or open another Sandbox")
        self._running = True

    def _release(self) -> None:
        self._running, self._program = False, None

    def _begin(
        self, source: str, tools: Tools, now: Callable[[], float], read_only: Collection[str] = ()
    ) -> tuple[Program, Link]:
        self.start()
        link = self._link
        assert link is not None
        message: dict[str, Any] = {"t": "run", "source": source, "check": self.check}
        # a schema is not looked at again while it is the same object; what the worker knows already is not sent again
        told = (tools, frozenset(read_only))
        if told != self._told:
            message["tools"] = tool_specs(tools, read_only)
        if self._sent_limits:
            self._refill()  # not before the first program, which is waited for
        else:
            message["limits"] = {name: getattr(self.limits, name) for name in _TOLD}
        if read_only:
            message["ahead"] = [self.limits.max_in_flight, self.limits.max_in_flight_per_server]
        message, frame = encode_text(message)
        self._sent_limits = True  # and the tools: not before it is certain that the worker will be told
        if "tools" in message:
            self._told, self._shapes = (dict(tools), told[1]), shapes(message["tools"])
        program = Program(self.limits, self._shapes, now, first_id=self._next_id, cpu_before=link.cpu_seconds(),
                          incoming=link.incoming)  # fmt: skip
        self._program = program
        link.queue(frame)
        return program, link

    def _call_now(self, program: Program, call: CallFunction, made: Call) -> bytes:
        try:
            value = call(made.tool, made.arguments)
        except ToolError as error:
            return program.fail(made.id, error)
        if type(value) not in PLAIN_TYPES and inspect.isawaitable(value):
            if inspect.iscoroutine(value):
                value.close()
            raise SandboxError("call returned an awaitable", where="Sandbox.run", mend="use `await sandbox.arun(...)`")
        return program.reply(made.id, value)

    def _died(self, program: Program, error: Exception) -> None:
        if isinstance(error, FrameError):
            program.kill("ProtocolError", f"the worker broke the protocol: {error}")
            return
        if self._closed:
            program.kill("WorkerDied", "the sandbox was closed")
            return
        status, peak_mb = self._link.end() if self._link is not None else (-1, 0.0)
        grown_mb = peak_mb - self._link.born_rss_mb if self._link is not None else 0.0
        if status > 0 and status & 0x7F and grown_mb > _USED_UP * self.limits.memory_mb:
            # without memory for an error, or for its stack, the interpreter can only end the process
            program.over("memory_mb", f"out of memory ({_death(status)})")
        else:
            program.kill("WorkerDied", f"the worker process ended ({_death(status)})")

    def _finish(self, program: Program, link: Link) -> Outcome:
        end = program.end
        assert end is not None
        lost, self._lost = self._lost, ()
        if end.alive:
            self._next_id = program.next_id
            if program.names is not None:
                self._names = program.names
            if program.variables is not None:
                self._variables = program.variables
        else:
            lost += self._names
            link.end()
            self._drop_worker()
        seconds = time.monotonic() - program.started
        return Outcome(
            status=end.status, value=end.value if end.status == "ok" else None,
            answered=end.answered, output="".join(program.output), error=end.error,
            calls=program.records(), seconds=seconds, peak_rss_mb=link.peak_rss_mb(seconds),
            variables=dict(self._variables), lost=lost,
        )

    def _run_raw(self, source: str) -> Any:
        """For tests: plain Python in the locked worker (only where `_raw` was set before the worker was made)."""
        self.start()
        assert self._link is not None
        self._link.queue(encode({"t": "raw", "source": source}))
        try:
            return self._link.wait(time.monotonic() + max(10.0, self.limits.wall_seconds))
        except (WorkerGone, FrameError) as error:
            self._drop_worker()
            return {"t": "raw", "error": type(error).__name__}


def _death(status: int) -> str:
    if status < 0:
        return "with its parent"
    if status & 0x7F:
        return f"signal {status & 0x7F}"
    return f"exit code {status >> 8}"
