"""`Sandbox`: the host's side of programs. It trusts no message of a worker, and leaves none behind."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from . import nursery as nurseries
from .driver import PLAIN_TYPES, AsyncDriver
from .errors import SandboxBusy, SandboxClosed, SandboxError, ToolError
from .frames import FrameError, encode
from .limits import Limits
from .link import Link, WorkerGone
from .outcome import ErrorInfo, Outcome, Status
from .program import Call, End, Program
from .wire import tool_specs

CallFunction = Callable[[str, dict[str, Any]], Any]
Tools = Mapping[str, Mapping[str, Any]]


def _no_tools(tool: str, arguments: dict[str, Any]) -> Any:
    raise ToolError("this sandbox has no tools", "unavailable")


class Sandbox:
    """Runs programs in one locked worker; variables live on from program to program.

    Use it as a block (`with` or `async with`). A worker that a limit or a kill has ended is replaced at the next run,
    which starts without variables (`Outcome.lost` of the run that lost them names them).
    """

    def __init__(self, limits: Limits | None = None, *, unsafe: bool = False) -> None:
        self.limits = limits or Limits()
        self.unsafe = unsafe
        self._nursery: nurseries.Nursery | None = None
        self._link: Link | None = None
        self._closed = False
        self._running = False
        self._raw = False
        self._names: tuple[str, ...] = ()
        self._variables: dict[str, str] = {}
        self._lost: tuple[str, ...] = ()
        self._sent_tools: dict[str, Any] | None = None
        self._next_id = 1
        self._pauses = 0
        self._paused_at = 0.0
        self._program: Program | None = None

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
            self._lost = self._names
            self._drop_worker()
            nurseries.release(self._nursery)
            self._nursery = None
        if self._nursery is None:
            self._nursery = nurseries.acquire()

    def close(self) -> None:
        """End the worker. Closing twice is fine."""
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
        self._open()
        if self._link is not None and self._link.has_strays():
            self._lost = self._names  # it died, or was told to, between two programs
            self._drop_worker()
        if self._link is None:
            assert self._nursery is not None
            self._link = Link(self._nursery, self.limits, unsafe=self.unsafe, raw=self._raw)
            self._sent_tools, self._next_id = None, 1

    def _drop_worker(self) -> None:
        if self._link is not None:
            link, self._link = self._link, None
            link.end()
        self._names, self._variables = (), {}

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
        with self._one_at_a_time():
            program, link = self._begin(source, tools or {}, now)
            try:
                while program.end is None:
                    message = self._next_message(program, link)
                    answer = program.take(message) if message is not None else None
                    if isinstance(answer, Call):
                        answer = self._call_now(program, call, answer)
                    if answer is not None:
                        link.queue(answer)
            except (WorkerGone, FrameError) as error:
                self._died(program, error)
            except BaseException:
                self._drop_worker()
                raise
            return self._finish(program, link)

    async def arun(
        self,
        source: str,
        tools: Tools | None = None,
        call: CallFunction = _no_tools,
        *,
        now: Callable[[], float] = time.time,
    ) -> Outcome:
        """Run a program without blocking the event loop.

        `call` is invoked in program order. Where it returns an awaitable, that runs as a task of its own, so that calls
        which the program makes at once overlap; results are delivered to the program exactly in the order in which
        those tasks ended. What the program does next depends on that order and on nothing else, so a caller that lets
        its awaitables end in a recorded order replays the program.
        """
        early = self._refuse_early(source)
        if early is not None:
            return early
        with self._one_at_a_time():
            if self._link is None:
                await self._start_aside()
            program, link = self._begin(source, tools or {}, now)
            try:
                await AsyncDriver(program, link, call, lambda: self._pauses > 0).drive()
            except (WorkerGone, FrameError) as error:
                self._died(program, error)
            except BaseException:
                self._drop_worker()
                raise
            return self._finish(program, link)

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

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        if self._running:
            raise SandboxBusy("a program is running in this sandbox", where="sandbox",
                              mend="wait for it, or open another Sandbox")
        self._running = True
        try:
            yield
        finally:
            self._running = False
            self._program = None

    def _begin(self, source: str, tools: Tools, now: Callable[[], float]) -> tuple[Program, Link]:
        self.start()
        link = self._link
        assert link is not None
        specs = tool_specs(tools)
        limits = self.limits
        message = {
            "t": "run", "source": source,
            "tools": specs if specs != self._sent_tools else None,
            "limits": {
                "max_calls": limits.max_calls, "max_output_bytes": limits.max_output_bytes,
                "max_nodes": limits.max_nodes, "max_result_bytes": limits.max_result_bytes,
                "max_frame_bytes": limits.max_frame_bytes,
            },
        }
        self._sent_tools = specs
        program = Program(limits, tools, now, first_id=self._next_id, cpu_before=link.cpu_seconds())
        self._program = program
        link.queue(encode(message))
        return program, link

    def _next_message(self, program: Program, link: Link) -> dict[str, Any] | None:
        left = program.check_time(link.cpu_seconds(), self._pauses > 0)
        return None if program.end is not None else link.wait(time.monotonic() + left)

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
        status = self._link.end()[0] if self._link is not None else -1
        program.kill("WorkerDied", f"the worker process ended ({_death(status)})")

    def _finish(self, program: Program, link: Link) -> Outcome:
        end = cast(End, program.end)
        lost, self._lost = self._lost, ()
        if end.alive:
            self._names, self._variables, self._next_id = program.names, program.variables, program.next_id
        else:
            lost += self._names
            link.end()
            self._drop_worker()
        return Outcome(
            status=cast(Status, end.status), value=end.value if end.status == "ok" else None,
            answered=end.answered, output="".join(program.output), error=end.error,
            calls=program.records(), seconds=time.monotonic() - program.started,
            peak_rss_mb=link.peak_rss_mb(), variables=dict(self._variables), lost=lost,
        )

    def _run_raw(self, source: str) -> dict[str, Any] | None:
        """For tests: plain Python in the locked worker (only where `_raw` was set before the worker was made)."""
        self.start()
        assert self._link is not None
        self._link.queue(encode({"t": "raw", "source": source}))
        try:
            return self._link.wait(time.monotonic() + self.limits.wall_seconds)
        except (WorkerGone, FrameError) as error:
            self._drop_worker()
            return {"t": "raw", "error": type(error).__name__}


def _death(status: int) -> str:
    if status < 0:
        return "with its parent"
    if status & 0x7F:
        return f"signal {status & 0x7F}"
    return f"exit code {status >> 8}"
