"""One connection to one server, owned by one task from its first to its last moment.

The SDK wants a connection to be closed by the task that opened it; with an owner task each, connections can be opened
and closed in any order, by anybody, and a server that breaks down takes nobody else along.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from typing import Any

from . import guardian, listing, offers, sdk_internals
from .config import CALL_SECONDS, CONNECT_SECONDS, ServerConfig
from .diagnosis import Evidence, call_failure, is_final, start_failure
from .errors import ServerError, ServerStartError, ServerTimeout
from .keeping import KEPT_BYTES
from .leftovers import end_leftovers
from .listing import Listing
from .oauth import SIGN_IN_SECONDS
from .results import RESULT_BYTES
from .stderr import StderrTail
from .transports import AUTO, KNOWN, client_for, ways

_SECOND_ATTEMPT = 0.5
"""Share of the connect time-out for every way after the first."""
_CLOSE_SECONDS = 12.0
"""More than the SDK's own bounded shutdown takes."""
_BACKSTOP_SECONDS = 3.0
"""The SDK's time-out does not cover writing to a server that reads nothing."""
_RUBBISH_KEPT = 5
OnProgress = Callable[[float, float | None, str | None], None]
"""Hears how far a call is: progress, total where it is known, and a message."""
_STUCK_AFTER = 2
"""Calls in a row without an answer after which a server is given up and started anew by the next call."""


class Connection:
    """A live connection to `target`: a `ServerConfig`, or an MCP server object of this process."""

    def __init__(
        self,
        name: str,
        target: ServerConfig | object,
        *,
        remembered: str | None = None,
        result_bytes: int = RESULT_BYTES,
        on_list_changed: Callable[[], None] | None = None,
        callbacks: Mapping[str, Any] | None = None,
        make: Callable[..., Any] | None = None,
        discovered: str | None = None,
    ) -> None:
        """`make` makes the client in place of the SDK's (see `raw_client`).

        `discovered` is what the server answered to `server/discover` earlier: the question is then not put again, and only
        the first request shows whether the server still is what it was.
        """
        self.name = name
        self.config = target if isinstance(target, ServerConfig) else None
        self.way = ""
        """The way of connecting that worked."""
        self._target = target
        self._discovered = discovered
        self._ways = [KNOWN] if discovered else ways(self.config, remembered)
        self._message_bytes = 2 * max(result_bytes, KEPT_BYTES) + 1_048_576
        self._on_list_changed = on_list_changed
        self._callbacks = dict(callbacks or {})
        self._make = make
        self._mark = guardian.new_mark()
        self._stop = asyncio.Event()
        self._client: Any = None
        self._stderr: StderrTail | None = None
        self._rubbish: list[str] = []
        self._trouble = self._excess = ""
        self._silent_calls = self._calls_in_flight = 0
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ready.add_done_callback(_retrieve)
        self._owner: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start the server or connect to it; returns when it has answered. Raises `ServerError`."""
        if self._owner is None:
            self._owner = asyncio.create_task(self._own(), name=f"mcp server {self.name}")
        await asyncio.shield(self._ready)

    @property
    def client(self) -> Any:
        """The connected client; None where there is none."""
        return self._client

    @property
    def discovered(self) -> str | None:
        """What the server answers to `server/discover`, as JSON; None for a server of the older era."""
        found = self._client.session.discover_result if self._client is not None else None
        return found.model_dump_json(by_alias=True, exclude_none=True) if found is not None else None

    def adopt(self, known: Listing) -> None:
        """Call tools as they were listed earlier, without listing them."""
        listing.adopt(self._client, known)

    @property
    def alive(self) -> bool:
        """Whether the other side is neither known to be gone nor stuck: silent in call after call."""
        if self._client is None or self._stop.is_set() or sdk_internals.is_closed(self._client.session):
            return False
        return self._silent_calls < _STUCK_AFTER or self._calls_in_flight > 0

    async def listing(self) -> Listing:
        """The server's tools as it lists them now. Raises `ServerError`."""
        try:
            found = await listing.fetch(self._client)
            others = await offers.offered(self._client) if self.config is not None else []
            return replace(found, tools=(*found.tools, *others))
        except Exception as error:
            failure = call_failure(error, self._evidence(), "tools/list", listing.LIST_SECONDS)
            if isinstance(failure, ServerError):
                raise failure from error
            raise ServerStartError(f"server {self.name!r} does not list its tools: {failure.message}", server=self.name,
                                   where=self._evidence().where, mend="check that it offers tools") from error

    async def call(
        self, tool_name: str, arguments: Mapping[str, object], timeout_seconds: float | None = None,
        on_progress: OnProgress | None = None,
    ) -> Any:  # fmt: skip
        """Call a tool and return the SDK's `CallToolResult`. Raises `ServerError` or `ToolFailed`.

        After `timeout_seconds`, or when the caller is cancelled, the call is cancelled on the server as well.
        """
        seconds = self._seconds(timeout_seconds)
        return await self._guarded(
            lambda: self._client.call_tool(
                tool_name, dict(arguments), read_timeout_seconds=seconds, progress_callback=_reporting(on_progress)
            ),
            tool_name, seconds, _BACKSTOP_SECONDS,
        )  # fmt: skip

    async def ask(
        self, method: str, arguments: Mapping[str, object], timeout_seconds: float | None = None
    ) -> Any:
        """Send a request that is no call of a tool (see `offers`). Raises as `call` does."""
        return await self._guarded(
            lambda: offers.ask(self._client, method, arguments), method, self._seconds(timeout_seconds), 0.0
        )

    def _seconds(self, timeout_seconds: float | None) -> float:
        return timeout_seconds or (self.config.call_seconds if self.config else CALL_SECONDS)

    async def _guarded(self, work: Callable[[], Awaitable[Any]], what: str, seconds: float, more_seconds: float) -> Any:
        self._calls_in_flight += 1
        try:
            async with asyncio.timeout(seconds + more_seconds):
                result = await work()
            self._silent_calls = 0
            return result
        except Exception as error:
            await asyncio.sleep(0)  # a dying server's last words may have just arrived
            failure = call_failure(error, self._evidence(), f"{self.name}.{what}", seconds)
            self._silent_calls = self._silent_calls + 1 if isinstance(failure, ServerTimeout) else 0
            raise failure from error
        finally:
            self._calls_in_flight -= 1

    async def close(self) -> None:
        """End the connection and every process behind it. Never hangs, never raises, may be called twice."""
        self._stop.set()
        if self._owner is None:
            return
        if not self._ready.done():
            self._owner.cancel()  # it is still connecting, and need not go on
        await asyncio.wait({self._owner}, timeout=_CLOSE_SECONDS)
        if not self._owner.done():
            self._owner.cancel()
            await asyncio.wait({self._owner}, timeout=_CLOSE_SECONDS / 2)
        self._end_leftovers()

    async def _own(self) -> None:
        import mcp  # noqa: F401 - takes its time, which is not the server's

        failure: ServerError | None = None
        if self._has_process:
            guardian.watch()
        try:
            for attempt, way in enumerate(self._ways):
                earlier, failure = failure, await self._attempt(way, self._connect_seconds(attempt))
                if failure is None or is_final(failure) or self._stop.is_set():
                    break
                if earlier is not None and not self._evidence().story:
                    failure = earlier  # the server said more when it was asked first
        finally:
            self._client = None
            if self._has_process:
                guardian.release()
            if not self._ready.done():
                self._ready.set_exception(failure or self._start_error(asyncio.CancelledError("closed")))

    async def _attempt(self, way: str, seconds: float) -> ServerError | None:
        """Connect in one way and stay until told to stop; returns why it could not be connected."""
        self._stderr, self._rubbish, self._trouble = StderrTail(), [], ""
        stack = AsyncExitStack()
        try:
            async with stack:
                async with asyncio.timeout(seconds) as limit:
                    self._be_patient(limit)
                    self._client = await stack.enter_async_context(self._open_client(way))
                self._stderr.started()
                self.way = AUTO if way == KNOWN else way
                self._ready.set_result(None)
                watcher = asyncio.create_task(self._watch_list())
                await self._stop.wait()
                watcher.cancel()
                await asyncio.wait({watcher})
        except Exception as error:
            return None if self._ready.done() else self._start_error(error)
        finally:
            self._stderr.close()
            self._end_leftovers()
        return None

    def _be_patient(self, limit: asyncio.Timeout) -> None:
        """A person who signs in takes longer than a server may."""
        auth = self._callbacks.get("auth")
        if auth is not None:
            loop = asyncio.get_running_loop()
            auth.on_sign_in = lambda: limit.reschedule(loop.time() + SIGN_IN_SECONDS)

    def _open_client(self, way: str) -> Any:
        assert self._stderr is not None
        return client_for(
            self._target, way, stderr=self._stderr, mark=self._mark, handler=self._on_message,
            message_bytes=self._message_bytes, callbacks=self._callbacks, on_trouble=self._note_trouble,
            on_excess=self._end_excess, make=self._make, discovered=self._discovered,
        )

    def _connect_seconds(self, attempt: int) -> float:
        seconds = self.config.connect_seconds if self.config else CONNECT_SECONDS
        return seconds if attempt == 0 else seconds * _SECOND_ATTEMPT

    def _start_error(self, error: BaseException) -> ServerError:
        return start_failure(error, self._evidence(), self._connect_seconds(0))

    def _evidence(self) -> Evidence:
        lines = self._stderr.lines() if self._stderr else []
        text = self._stderr.text() if self._stderr else ""
        return Evidence(self.name, self.config, lines, text, tuple(self._rubbish), self._trouble, self._excess)

    def _end_excess(self, size: int) -> None:
        """The server sends more in one message than anybody asked for: it is given up, the next call starts it anew."""
        self._excess = f"more than {size / 1e6:.0f} MB in one message"
        self._stop.set()

    def _note_trouble(self, what: str) -> None:
        self._trouble = what

    async def _on_message(self, message: Any) -> None:
        if isinstance(message, Exception):
            self._rubbish = [*self._rubbish, _rubbish_text(message)][-_RUBBISH_KEPT:]
        elif getattr(message, "method", "") == "notifications/tools/list_changed" and self._on_list_changed:
            self._on_list_changed()

    async def _watch_list(self) -> None:
        """Servers of 2026-07-28 tell of changes only to those who listen."""
        client = self._client
        changes = getattr(client.server_capabilities.tools, "list_changed", False)
        if self._on_list_changed is None or self.config is None or not changes or client.session.discover_result is None:
            return
        with suppress(Exception):  # a lost subscription costs only the news
            async with client.listen(tools_list_changed=True) as subscription:
                async for _ in subscription:
                    self._on_list_changed()

    @property
    def _has_process(self) -> bool:
        return self.config is not None and self.config.transport == "stdio"

    def _end_leftovers(self) -> None:
        if self._has_process:
            end_leftovers(self._mark)


def _reporting(on_progress: OnProgress | None) -> Any:
    """Progress as the SDK tells it; a report that nobody can use is no reason for a call to fail."""
    if on_progress is None:
        return None

    async def report(progress: float, total: float | None, message: str | None) -> None:
        with suppress(Exception):
            on_progress(progress, total, message)

    return report


def _retrieve(future: asyncio.Future[None]) -> None:
    """A failure that nobody waited for must not end in a warning."""
    if not future.cancelled():
        future.exception()


def _rubbish_text(error: Exception) -> str:
    """The line of stdout behind a parse error."""
    details = getattr(error, "errors", None)
    with suppress(Exception):
        if callable(details):
            text = str(details()[0].get("input", ""))
            return "".join(c for c in text if c.isprintable())[:200]
    return str(error)[:200]
