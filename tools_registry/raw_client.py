"""A client that passes messages on as they came: for a gateway, which is no party to what is said.

The SDK's own `Client` answers a server's questions from callbacks and makes typed objects of everything; on the way,
fields that it does not know are lost. Here requests, results, questions and notifications stay plain JSON.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from typing import Any, Self

import mcp_types as types
from mcp.client.session import ClientSession
from mcp.client.subscriptions import listen
from mcp.shared.exceptions import MCPError
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from . import sdk_internals

Json = dict[str, Any]
OnAsked = Callable[[str, Mapping[str, Any]], Awaitable[Json]]
OnTold = Callable[[str, Mapping[str, Any]], Awaitable[None]]
Progress = Callable[[float, float | None, str | None], Awaitable[None]]

_PAGES = 100
_SECONDS = 3_600.0
"""The longest that any request may take; whoever waits for it gives up earlier."""


class RawClient:
    """A connection on which nothing is interpreted. `asked` gets the server's requests, `told` its notifications.

    `capabilities` and `info` are those of the client behind the gateway, so that the server sees whom it serves.
    """

    def __init__(
        self, transport: Any, *, mode: str, message_handler: Any, capabilities: Json, info: Json, asked: OnAsked,
        told: OnTold, **_: Any,
    ) -> None:  # fmt: skip
        self._transport, self._mode, self._handler = transport, mode, message_handler
        self._capabilities, self._info, self._asked, self._told = capabilities, info, asked, told
        self._stack = AsyncExitStack()
        self.session: ClientSession = None  # type: ignore[assignment]

    async def __aenter__(self) -> Self:
        from mcp.client._probe import negotiate_auto

        async with AsyncExitStack() as stack:
            read, write = await stack.enter_async_context(self._transport)
            session = sdk_internals.forwarding_session(
                JSONRPCDispatcher(read, write), self._handler, self._capabilities, self._info, self._asked, self._told
            )
            self.session = await stack.enter_async_context(session)
            await (session.initialize() if self._mode == "legacy" else negotiate_auto(session))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exception: Any) -> bool | None:
        return await self._stack.__aexit__(*exception)

    @property
    def version(self) -> str:
        """The negotiated protocol version."""
        return self.session.protocol_version or ""

    @property
    def modern(self) -> bool:
        """Whether this is a connection of 2026-07-28 or later: no session, and no questions on the server's own account."""
        return self.version in MODERN_PROTOCOL_VERSIONS

    @property
    def server_capabilities(self) -> types.ServerCapabilities:
        """What the server says that it has."""
        return self.session.server_capabilities or types.ServerCapabilities()

    def listen(self, **wanted: Any) -> Any:
        """Subscribe to changes (2026-07-28)."""
        return listen(self.session, **wanted)

    async def request(
        self, method: str, params: Mapping[str, Any], *, envelope: Mapping[str, Any] | None = None,
        on_progress: Progress | None = None,
    ) -> Json:  # fmt: skip
        """Send a request and return the plain result. `envelope` is laid over the `_meta` of 2026-07-28.

        Raises `MCPError`, as the server sent it.
        """
        try:
            return await self._send(method, params, envelope, on_progress)
        except MCPError as error:
            if error.code != types.HEADER_MISMATCH or method != "tools/call":
                raise
            await self.adopt_tools()  # the list that the headers were made from was old or missing
            return await self._send(method, params, envelope, on_progress)

    async def _send(
        self, method: str, params: Mapping[str, Any], envelope: Mapping[str, Any] | None, on_progress: Progress | None
    ) -> Json:
        meta = {key: value for key, value in (params.get("_meta") or {}).items() if key != "progressToken"}
        sent = {**params, "_meta": meta} if meta else {key: value for key, value in params.items() if key != "_meta"}
        return await sdk_internals.forward(
            self.session, method, sent, dict(envelope or {}) if self.modern else {}, on_progress, _SECONDS
        )

    async def notify(self, method: str, params: Mapping[str, Any]) -> None:
        """Send a notification."""
        await sdk_internals.forward_notification(self.session, method, dict(params))

    async def adopt_tools(self) -> None:
        """Learn from the tool list which arguments 2026-07-28 also wants as HTTP headers."""
        cursor, tools = None, []
        for _ in range(_PAGES):
            page = await self._send("tools/list", {"cursor": cursor} if cursor else {}, None, None)
            tools += [tool for tool in page.get("tools") or [] if isinstance(tool, dict)]
            if not (cursor := page.get("nextCursor")):
                break
        found = [(tool.get("name"), tool.get("inputSchema")) for tool in tools]
        sound = [(name, schema) for name, schema in found if isinstance(name, str) and isinstance(schema, dict)]
        with suppress(Exception):  # a malformed list costs the headers, and the server will say so
            sdk_internals.adopt_listing(self.session, sound)
