"""Pass-through: the tools, resources and prompts of the configured servers themselves, as if their client spoke to them.

A middleware in front of the SDK's server: requests go to a server as they came and results come back as they came, so
that schemas, errors and fields of tomorrow survive. Only where the two sides speak different protocol eras is anything
put into other words. A client of the older era has connections of its own; those of 2026-07-28, whose requests stand
each for itself, share one connection to each server.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import mcp_types as types
from mcp.server import Server
from mcp.server.context import CallNext, HandlerResult
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.exceptions import MCPError
from mcp_types import methods
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from ...tools_registry.config import ServerConfig
from ..signing_in import with_sign_in
from .caller import Caller, Context, Json
from .eras import usable_tool
from .limits import GatewayLimits
from .naming import Names, renamed
from .parking import Parking
from .peer import Peer
from .upstream import Upstream

_STARTS_AT_ONCE = 4
_LISTS = {
    "tools/list": "tools", "prompts/list": "prompts", "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}  # fmt: skip
_BY_URI = frozenset({"resources/read", "resources/subscribe", "resources/unsubscribe"})


class PassThrough:
    """Serves `configs` to whoever connects to `server`; close it at the end.

    `home` holds tokens for servers that want a sign-in. `many_clients` is true over HTTP: then a question of an older
    server is only passed on while it is clear whose it is.
    """

    def __init__(
        self, configs: Sequence[ServerConfig], *, many_clients: bool, limits: GatewayLimits | None = None,
        on_notice: Callable[[str], None] | None = None, home: Path | None = None,
    ) -> None:  # fmt: skip
        from ... import __version__

        self.configs = list(configs)
        self.names = Names([config.name for config in self.configs])
        self.limits = limits or GatewayLimits()
        self._many_clients = many_clients
        self._options = with_sign_in(None, home, may_ask=False)
        self._notice = on_notice or (lambda line: None)
        self._parking = Parking(self.limits)
        self._modern: Peer | None = None
        self._legacy: dict[object, Peer] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._starting = asyncio.Semaphore(_STARTS_AT_ONCE)
        self.server: Server[Any] = Server(
            "atlas", version=__version__, on_list_tools=_never, on_subscriptions_listen=self._listen
        )
        self.server.middleware.append(self)

    async def open(self) -> None:
        """Nothing is started before a client comes."""

    async def close(self) -> None:
        """End every connection and every server's process."""
        await self._parking.close()
        for peer in [*self._legacy.values(), *([self._modern] if self._modern else [])]:
            self._close_soon(peer)
        self._legacy.clear()
        while self._closing:
            await asyncio.wait(self._closing)

    async def __call__(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        """What every message of every client passes through."""
        context = ctx
        if context.request_id is None:
            await self._notified(context)
            return await call_next(context)
        if context.method in ("initialize", "server/discover"):
            return await self._introduced(context, call_next)
        if context.method in ("ping", "subscriptions/listen"):
            return await call_next(context)
        _check(context)
        peer = self._peer(context)
        return await self._serve(peer, Caller(context), context.method, dict(context.params or {}))

    # -- who is there

    def _peer(self, context: Context) -> Peer:
        if context.protocol_version in MODERN_PROTOCOL_VERSIONS:
            if self._modern is None:
                self._modern = Peer(
                    self.configs, Caller(context), many_clients=self._many_clients, options=self._options
                )  # fmt: skip
            return self._modern
        peer = self._legacy.get(_connection(context))
        if peer is None:
            raise MCPError(code=types.INVALID_REQUEST, message="send initialize first")
        peer.session = context.session
        return peer

    async def _introduced(self, context: Context, call_next: CallNext) -> HandlerResult:
        """Answer for the servers behind: what they offer, what they are called, what they say of themselves."""
        params = context.params or {}
        answer = await call_next(context)
        result = answer if isinstance(answer, dict) else {}
        peer = self._newcomer(context, params) if context.method == "initialize" else self._peer(context)
        heads = await self._heads(peer)
        result = {**result, "capabilities": _joined([head["capabilities"] for head in heads])}
        instructions = [head["instructions"] for head in heads if head["instructions"]]
        if instructions:
            result["instructions"] = instructions[0] if len(heads) == 1 else "\n\n".join(instructions)
        if len(self.configs) == 1 and heads[0]["info"]:
            return _introducing(result, heads[0]["info"])
        return result

    def _newcomer(self, context: Context, params: Mapping[str, Any]) -> Peer:
        from ...tools_registry import sdk_internals

        self._left(_connection(context))  # who introduces itself anew is not who it was
        if len(self._legacy) >= self.limits.clients:
            raise MCPError(code=types.INTERNAL_ERROR, message=f"{len(self._legacy)} clients are served already: try later")
        peer = Peer(
            self.configs, None, many_clients=False, session=context.session,
            capabilities=dict(params.get("capabilities") or {}), info=dict(params.get("clientInfo") or {}),
            options=self._options,
        )  # fmt: skip
        key = sdk_internals.at_client_end(context.session, lambda: self._left(key))
        self._legacy[key] = peer
        return peer

    def _left(self, key: object) -> None:
        peer = self._legacy.pop(key, None)
        if peer is not None:
            self._close_soon(peer)

    def _close_soon(self, peer: Peer) -> None:
        task = asyncio.get_running_loop().create_task(peer.close(), name="gateway: a client left")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _heads(self, peer: Peer) -> list[Json]:
        """What each server that can be reached says of itself. Raises `MCPError` where none can."""
        found = await asyncio.gather(*(self._head(peer, one) for one in peer.upstreams), return_exceptions=True)
        heads = [head for head in found if isinstance(head, dict)]
        problems = [problem for problem in found if isinstance(problem, BaseException)]
        for problem in problems:
            self._notice(str(problem))
        if problems and not heads:
            raise problems[0]
        return heads

    async def _head(self, peer: Peer, upstream: Upstream) -> Json:
        async with self._starting:
            client = await upstream.client()
        await peer.follow(upstream, client)
        info = client.session.server_info
        return {
            "capabilities": client.server_capabilities.model_dump(by_alias=True, mode="json", exclude_none=True),
            "info": info.model_dump(by_alias=True, mode="json", exclude_none=True) if info else {},
            "instructions": client.session.instructions or "",
        }

    # -- what is asked

    async def _serve(self, peer: Peer, caller: Caller, method: str, params: Json) -> Json:
        if method == "logging/setLevel":
            return await self._everywhere(peer, caller, method, params)
        if method in _LISTS:
            return await self._list(peer, caller, method, params)
        if method in _BY_URI or (ref := params.get("ref") or {}).get("type") == "ref/resource":
            return await self._by_uri(peer, caller, method, params)
        name = str((ref if method == "completion/complete" else params).get("name", ""))
        found = self.names.inward(name)
        if found is None:
            raise MCPError(code=types.INVALID_PARAMS, message=f"Unknown name: {name}")
        server, own = found
        if method == "tools/call" and not self.configs[server].offers(own):
            raise MCPError(code=types.INVALID_PARAMS, message=f"Unknown tool: {name}")
        params = {**params, "ref": {**ref, "name": own}} if method == "completion/complete" else {**params, "name": own}
        return await self._send(peer, caller, server, method, params)

    async def _send(self, peer: Peer, caller: Caller, server: int, method: str, params: Json) -> Json:
        upstream = peer.upstreams[server]
        if not caller.modern:
            return await peer.request(upstream, caller, method, params)
        client = await upstream.client()
        if client.modern:
            return await upstream.request(caller, method, params, caller.envelope)

        async def work(caller: Caller) -> Json:
            return await upstream.request(caller, method, params, {})

        return await self._parking.serve(caller, params, work)

    async def _list(self, peer: Peer, caller: Caller, method: str, params: Json) -> Json:
        """One page of one server; with several servers a cursor names the server before its own cursor."""
        place, cursor = _cursor(params.get("cursor"), len(self.configs))
        key = _LISTS[method]
        while True:
            asked = {name: value for name, value in params.items() if name != "cursor"}
            asked |= {"cursor": cursor} if cursor else {}
            page = await self._page(peer, caller, place, method, asked, key)
            if len(self.configs) == 1:
                return page
            following = page.pop("nextCursor", None)
            if following is None and place + 1 < len(self.configs) and not page.get(key):
                place, cursor = place + 1, None
                continue
            if following is not None:
                return {**page, "nextCursor": f"{place}:{following}"}
            return {**page, "nextCursor": f"{place + 1}:"} if place + 1 < len(self.configs) else page

    async def _page(self, peer: Peer, caller: Caller, server: int, method: str, params: Json, key: str) -> Json:
        try:
            page = await self._send(peer, caller, server, method, params)
        except MCPError as problem:
            if len(self.configs) == 1:
                raise
            if problem.code != types.METHOD_NOT_FOUND:
                self._notice(f"server {self.configs[server].name}: {problem.message}")
            page = _empty(key, caller)
        if key == "tools":
            config = self.configs[server]
            page = {**page, key: [
                tool for tool in page.get(key) or []
                if usable_tool(tool, caller.version) and config.offers(tool.get("name", ""))
            ]}  # fmt: skip
        if key in ("tools", "prompts"):
            return renamed(page, key, lambda name: self.names.outward(server, name))
        for one in page.get(key) or []:
            self.names.note_home(server, one.get("uri") or one.get("uriTemplate"))
        return page

    async def _by_uri(self, peer: Peer, caller: Caller, method: str, params: Json) -> Json:
        uri = params.get("uri") or (params.get("ref") or {}).get("uri")
        refused: MCPError | None = None
        for server in self.names.homes(uri):
            try:
                return await self._send(peer, caller, server, method, params)
            except MCPError as problem:
                refused = refused or problem
        assert refused is not None
        raise refused

    async def _everywhere(self, peer: Peer, caller: Caller, method: str, params: Json) -> Json:
        """The log level holds for every server that has one to set."""
        peer.level = params.get("level")
        for upstream in peer.upstreams:
            client = await upstream.client()
            if not client.modern and client.server_capabilities.logging is not None:
                await peer.request(upstream, caller, method, params)
        return {}

    # -- what is told

    async def _notified(self, context: Context) -> None:
        if context.method == "notifications/roots/list_changed" and (peer := self._legacy.get(_connection(context))):
            await peer.tell_servers(context.method, dict(context.params or {}))

    async def _listen(self, context: Context, params: types.SubscriptionsListenRequestParams) -> Any:
        """A stream of changes, open until the client goes away (2026-07-28)."""
        heard = InMemorySubscriptionBus()
        async with AsyncExitStack() as stack:
            for upstream in self._peer(context).upstreams:
                await stack.enter_async_context(upstream.listening(params.notifications, heard))
            return await ListenHandler(heard)(context, params)


def _check(context: Context) -> None:
    """Refuse what is no request of the client's protocol version, as the SDK's server would."""
    try:
        methods.validate_client_request(context.method, context.protocol_version, context.params)
    except KeyError:
        raise MCPError(code=types.METHOD_NOT_FOUND, message="Method not found", data=context.method) from None
    except ValidationError:
        raise MCPError(code=types.INVALID_PARAMS, message="Invalid request parameters", data="") from None


def _connection(context: Context) -> object:
    from ...tools_registry import sdk_internals

    return sdk_internals.connection_of(context.session)


def _joined(capabilities: Sequence[Json]) -> Json:
    """What at least one server offers."""
    joined: Json = {}
    for one in capabilities:
        for name, value in one.items():
            mine = joined.setdefault(name, {})
            if isinstance(value, dict):
                mine.update({key: mine.get(key) or said for key, said in value.items()})
    return joined


def _introducing(result: Json, info: Json) -> Json:
    """`result` under the name of the one server behind."""
    if "serverInfo" in result:
        return {**result, "serverInfo": info}
    return {**result, "_meta": {**(result.get("_meta") or {}), types.SERVER_INFO_META_KEY: info}}


def _cursor(given: object, servers: int) -> tuple[int, str | None]:
    if servers == 1 or not isinstance(given, str):
        return 0, given if isinstance(given, str) else None
    place, _, cursor = given.partition(":")
    if not place.isdecimal() or int(place) >= servers:
        raise MCPError(code=types.INVALID_PARAMS, message="Invalid cursor")
    return int(place), cursor or None


def _empty(key: str, caller: Caller) -> Json:
    modern = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"} if caller.modern else {}
    return {key: [], **modern}


async def _never(context: Context, params: Any) -> types.ListToolsResult:
    """Stands for `tools/list`, which the middleware answers; the SDK asks whether there is a handler."""
    print("atlas: a request went past the gateway", file=sys.stderr)
    return types.ListToolsResult(tools=[])
