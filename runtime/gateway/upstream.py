"""One configured server as the gateway reaches it for one client, or for all clients of 2026-07-28 together."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import event_from_wire
from mcp_types import CONNECTION_CLOSED, INVALID_REQUEST, SubscriptionFilter

from ...tools_registry.config import ServerConfig
from ...tools_registry.connection import Connection
from ...tools_registry.errors import ServerError
from ...tools_registry.raw_client import RawClient
from .caller import Caller, Json
from .eras import drive, shaped, understood

Alone = Callable[[str, Mapping[str, Any]], Awaitable[None]]
AskAlone = Callable[[str, Mapping[str, Any]], Awaitable[Json]]

_ENVELOPE = "io.modelcontextprotocol/"


class Upstream:
    """A connection that is opened at the first request, and again after the server died.

    `way` is tried first (`legacy` for a client of the older era, so that both sides speak the same). What the server
    says on its own account goes to `tell_alone` and `ask_alone`; without them, it has nobody to speak to.
    """

    def __init__(
        self, config: ServerConfig, *, way: str, capabilities: Json, info: Json, many_clients: bool = False,
        tell_alone: Alone | None = None, ask_alone: AskAlone | None = None, options: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.config = config
        self.bus = InMemorySubscriptionBus()
        """Changes that a server of the older era tells of, for those who listen in the newer way."""
        self._way, self._capabilities, self._info = way, capabilities, info
        self._many_clients, self._options = many_clients, options
        self._tell_alone, self._ask_alone = tell_alone, ask_alone
        self._connection: Connection | None = None
        self._opening = asyncio.Lock()
        self._calls: list[Caller] = []

    async def client(self) -> RawClient:
        """The live connection. Raises `MCPError` that says why there is none."""
        async with self._opening:
            if self._connection is not None and not self._connection.alive:
                await self._connection.close()
                self._connection = None
            if self._connection is None:
                make = functools.partial(
                    RawClient, capabilities=self._capabilities, info=self._info, asked=self._asked, told=self._told
                )
                connection = Connection(
                    self.config.name, self.config, remembered=self._way, callbacks=self._options, make=make
                )
                try:
                    await connection.open()
                except BaseException as problem:
                    await connection.close()
                    if isinstance(problem, ServerError):
                        raise MCPError(code=CONNECTION_CLOSED, message=f"{problem.message} ({problem.mend})") from problem
                    raise
                self._connection = connection
                client: RawClient = connection.client
                if client.modern and self.config.transport != "stdio":
                    with suppress(MCPError):  # a server without tools
                        await client.adopt_tools()
            return self._connection.client  # type: ignore[no-any-return]

    async def request(self, caller: Caller, method: str, params: Mapping[str, Any], envelope: Json) -> Json:
        """Pass a request on and return the answer in the words of the caller's protocol version."""
        client = await self.client()
        progress = _Progress(caller) if caller.wants_progress else None
        sent = dict(params) if client.modern else _without_envelope(params)

        async def send(params: Json) -> Json:
            return await client.request(method, params, envelope=envelope, on_progress=progress)

        self._calls.append(caller)
        try:
            result = await (drive(caller, sent, send) if client.modern and not caller.modern else send(sent))
        finally:
            self._calls.remove(caller)
            if progress is not None:
                await progress.told()
        return result if understood(client.version, caller.version) else shaped(method, result, caller.version)

    @asynccontextmanager
    async def listening(self, wanted: SubscriptionFilter, heard: InMemorySubscriptionBus) -> AsyncIterator[None]:
        """Publish the changes of this server on `heard` while the block lasts."""
        client = await self.client()
        if client.modern:
            async with client.listen(**wanted.model_dump(exclude_none=True)) as subscription:
                relay = asyncio.ensure_future(_relay(subscription, heard))
                try:
                    yield
                finally:
                    relay.cancel()
                    await asyncio.wait({relay})
            return
        uris = wanted.resource_subscriptions or []
        stop = self.bus.subscribe(lambda event: _publish_soon(heard, event))
        try:
            for uri in uris:
                await client.request("resources/subscribe", {"uri": uri})
            yield
        finally:
            stop()
            with suppress(MCPError):
                for uri in uris:
                    await client.request("resources/unsubscribe", {"uri": uri})

    async def close(self) -> None:
        """End the connection and the server's process. Never raises."""
        async with self._opening:
            connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _asked(self, method: str, params: Mapping[str, Any]) -> Json:
        if len(self._calls) > 1 and self._many_clients:
            raise MCPError(code=INVALID_REQUEST, message="several calls are under way: whose question is this?")
        if self._calls:
            return await self._calls[-1].ask(method, params)
        if self._ask_alone is None:
            raise MCPError(code=INVALID_REQUEST, message=f"nobody is there to take {method}")
        return await self._ask_alone(method, params)

    async def _told(self, method: str, params: Mapping[str, Any]) -> None:
        event = event_from_wire(method, params)
        if event is not None:
            await self.bus.publish(event)
            if self._tell_alone is not None and SUBSCRIPTION not in (params.get("_meta") or {}):
                await self._tell_alone(method, params)
        elif method in ("notifications/progress", "notifications/subscriptions/acknowledged"):
            return  # progress comes with its request
        elif self._calls and not (self._many_clients and len(self._calls) > 1):
            await self._calls[-1].tell(method, params)
        elif self._tell_alone is not None:
            await self._tell_alone(method, params)


SUBSCRIPTION = f"{_ENVELOPE}subscriptionId"


class _Progress:
    """Passes progress on in order; all of it before the result, after which nobody listens."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._turn = asyncio.Lock()
        self._open = 0
        self._quiet = asyncio.Event()

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        self._open += 1  # the SDK begins a task for each report, in the order in which they came and before the result
        try:
            async with self._turn:
                await self._caller.progress(progress, total, message)
        finally:
            self._open -= 1
            self._quiet.set()

    async def told(self) -> None:
        """Wait until what has come is passed on."""
        while self._open:
            self._quiet.clear()
            await self._quiet.wait()


async def _relay(subscription: Any, heard: InMemorySubscriptionBus) -> None:
    with suppress(Exception):  # a lost subscription costs the news
        async for event in subscription:
            await heard.publish(event)


_publishing: set[asyncio.Task[None]] = set()


def _publish_soon(heard: InMemorySubscriptionBus, event: Any) -> None:
    task = asyncio.ensure_future(heard.publish(event))
    _publishing.add(task)
    task.add_done_callback(_publishing.discard)


def _without_envelope(params: Mapping[str, Any]) -> Json:
    """What 2026-07-28 adds to every request means nothing to an older server."""
    meta = {key: value for key, value in (params.get("_meta") or {}).items() if not key.startswith(_ENVELOPE)}
    kept = {key: value for key, value in params.items() if key not in ("_meta", "inputResponses", "requestState")}
    return {**kept, "_meta": meta} if meta else kept
