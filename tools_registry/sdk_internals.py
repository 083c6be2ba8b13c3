"""The only uses of private names of the MCP SDK, so that an upgrade has one place to look at (and one test to break).

Written against mcp 2.3; each function says why the public way does not do.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import Any

from .results import without_surrogates
from .unreadable import Unreadable, answered_request


async def raw_request(session: Any, method: str, params: dict[str, Any], timeout_seconds: float) -> dict[str, Any]:
    """Send a request and return the answer unchecked: the public form refuses a page for one malformed tool."""
    data: dict[str, Any] = {"method": method, "params": params}
    options: dict[str, Any] = {"timeout": timeout_seconds}
    session._stamp(data, options)  # the envelope and the headers that 2026-07-28 asks for
    answer = await session._dispatcher.send_raw_request(method, data["params"], options)
    return answer if isinstance(answer, dict) else {}


def adopt_listing(session: Any, tools: Iterable[tuple[str, dict[str, Any]]]) -> set[str]:
    """Tell the session which tools (name, input schema) are listed; return the names that it accepts.

    Over HTTP it needs the list for the headers of 2026-07-28. Output schemas are kept from it: it would refuse a result
    that does not fit, after the call has taken effect, and it would list again before judging an unlisted tool.
    """
    import mcp_types

    listed = mcp_types.ListToolsResult(
        tools=[mcp_types.Tool(name=name, input_schema=schema) for name, schema in tools]
    )
    return {tool.name for tool in session._absorb_tool_listing(listed, complete=True).tools}


def is_closed(session: Any) -> bool:
    """Whether the other side is known to be gone; nothing public says so before a request is sent."""
    return bool(session._dispatcher._closed)


def accept_odd_messages() -> None:
    """Read messages that pydantic does not: nested too deeply, or with an escape that is half a character. One schema of a
    hundred levels, or one such escape in a name, would take the whole tool list with it.

    An answer that cannot be read even so becomes an error for whoever waits for it, who would wait for nothing.
    """
    import mcp_types

    adapter: Any = mcp_types.jsonrpc_message_adapter
    strict = adapter.validate_json
    if getattr(strict, "tolerant", False):
        return

    def validate_json(data: Any, **options: Any) -> Any:
        try:
            return strict(data, **options)
        except ValueError as problem:
            text = data if isinstance(data, str) else bytes(data).decode("utf-8", "replace")
            try:
                return adapter.validate_python(without_surrogates(json.loads(text)), **options)
            except (ValueError, RecursionError):
                answer = _unreadable_answer(text)
                if answer is None:
                    raise problem from None
                return answer

    validate_json.tolerant = True  # type: ignore[attr-defined]
    adapter.validate_json = validate_json


def _unreadable_answer(text: str) -> Any:
    """The error that stands for an answer which cannot be read; None where the message is no answer."""
    import mcp_types

    number, head = answered_request(text), Unreadable.of(text)
    if number is None:
        return None
    error = mcp_types.ErrorData(code=mcp_types.PARSE_ERROR, message=f"the answer cannot be read: {head}", data=head)
    return mcp_types.JSONRPCError(jsonrpc="2.0", id=number, error=error)


def unreadable_head(error: Any) -> str | None:
    """What an unreadable answer began with; None for every other `MCPError`."""
    import mcp_types

    if isinstance(error.data, Unreadable):
        return str(error.data)
    # over HTTP the SDK knows by itself to whom a message without a usable id belongs, and says it in words only
    said, _, problem = error.message.partition(": ")
    if error.code != mcp_types.PARSE_ERROR or said not in ("Failed to parse JSON response", "Failed to parse SSE message"):
        return None
    return " ".join(problem.split())[:200]


_STDOUT_BOUND: ContextVar[tuple[int, Callable[[int], None]] | None] = ContextVar("stdout bound", default=None)


def bound_stdout(most_chars: int, on_excess: Callable[[int], None]) -> None:
    """Bound the lines of the stdio server that this task starts next; the SDK gathers a line without end.

    It also joins a line to what it has for every 64 KB that come in, which takes minutes for a hundred megabytes: the stream
    that is put in here hands out whole lines.
    """
    import mcp.client.stdio

    stdio: Any = mcp.client.stdio
    if not getattr(stdio.TextReceiveStream, "bounded", False):
        stdio.TextReceiveStream = _bounded(stdio.TextReceiveStream)
    _STDOUT_BOUND.set((most_chars, on_excess))


def _bounded(base: Any) -> Any:
    from anyio import EndOfStream

    class Bounded(base):  # type: ignore[misc]
        bounded = True

        async def receive(self) -> str:
            most, on_excess = _STDOUT_BOUND.get() or (sys.maxsize, _ignore)
            parts: list[str] = []
            size = 0
            while True:
                try:
                    chunk: str = await super().receive()
                except EndOfStream:
                    if not parts:
                        raise
                    return "".join(parts)
                parts.append(chunk)
                size += len(chunk)
                if "\n" in chunk:
                    return "".join(parts)
                if size > most:
                    on_excess(size)
                    raise EndOfStream

    return Bounded


def _ignore(size: int) -> None:
    pass


def forwarding_session(
    dispatcher: Any,
    message_handler: Any,
    capabilities: dict[str, Any],
    info: dict[str, Any],
    asked: Callable[[str, Mapping[str, Any]], Awaitable[dict[str, Any]]],
    told: Callable[[str, Mapping[str, Any]], Awaitable[None]],
) -> Any:
    """A `ClientSession` that hands on what the server asks and tells: the public one answers from typed callbacks, and
    declares the capabilities that these stand for."""
    import mcp_types
    from mcp.client.session import ClientSession

    class Forwarding(ClientSession):
        def _build_capabilities(self, version: str) -> mcp_types.ClientCapabilities:
            return mcp_types.ClientCapabilities.model_validate(capabilities, by_name=False)

        async def _on_request(self, dctx: Any, method: str, params: Mapping[str, Any] | None) -> dict[str, Any]:
            return {} if method == "ping" else await asked(method, params or {})

        async def _on_notify(self, dctx: Any, method: str, params: Mapping[str, Any] | None) -> None:
            if method != "notifications/cancelled":
                await told(method, params or {})
            await super()._on_notify(dctx, method, params)

    who = mcp_types.Implementation.model_validate(info, by_name=False)
    return Forwarding(dispatcher=dispatcher, message_handler=message_handler, client_info=who)


async def forward(
    session: Any, method: str, params: dict[str, Any], envelope: dict[str, Any], on_progress: Any, timeout_seconds: float
) -> dict[str, Any]:
    """Send a request as it is; `envelope` replaces what the session would say of its own client (2026-07-28)."""
    data: dict[str, Any] = {"method": method, "params": params}
    options: dict[str, Any] = {"timeout": timeout_seconds}
    session._stamp(data, options)
    if envelope:
        data["params"]["_meta"] = {**data["params"].get("_meta", {}), **envelope}
    if on_progress is not None:
        options["on_progress"] = on_progress
    answer = await session._dispatcher.send_raw_request(method, data["params"], options)
    return answer if isinstance(answer, dict) else {}


async def forward_notification(session: Any, method: str, params: dict[str, Any]) -> None:
    """Send a notification as it is."""
    data: dict[str, Any] = {"method": method, "params": params}
    options: dict[str, Any] = {}
    session._stamp(data, options)
    await session._dispatcher.notify(method, data["params"] or None, options)


async def ask_client(session: Any, method: str, params: Mapping[str, Any], *, alone: bool = False) -> dict[str, Any]:
    """Put a question to the client of a server session; the typed public form drops fields that it does not know.

    It goes along with the request that the session belongs to, or `alone`, on the standing channel.
    """
    channel = session._connection.outbound if alone else session._request_outbound
    answer = await channel.send_raw_request(method, dict(params))
    return answer if isinstance(answer, dict) else {}


async def tell_client(session: Any, method: str, params: Mapping[str, Any], *, alone: bool = False) -> None:
    """Send a notification to the client of a server session, with its request or `alone`."""
    channel = session._connection.outbound if alone else session._request_outbound
    await channel.notify(method, dict(params) or None)


def at_client_end(session: Any, callback: Callable[[], None]) -> object:
    """Call `callback` when the connection of a server session ends; return what stands for that connection."""
    connection = session._connection
    connection.exit_stack.callback(callback)
    return connection


def connection_of(session: Any) -> object:
    """What is the same for all requests of one client of a server (up to 2025-11-25), and of no other."""
    connection: object = session._connection
    return connection


def renewing_provider(storage: Any, **options: Any) -> Any:
    """An `OAuthClientProvider` that goes on with the tokens of an earlier process, and renews one that a server refuses.

    The SDK's does not keep when a token ends nor where it is renewed, and asks the person again instead. `storage` is what
    it takes, with `expires_at`, `authorization_server()` and `resource()` besides (None where they are not known).
    """
    from mcp.client.auth import OAuthClientProvider

    class Renewing(OAuthClientProvider):
        on_sign_in: Callable[[], None] | None = None
        """Called when a person is asked, which takes longer than any server should."""

        async def _initialize(self) -> None:
            await super()._initialize()
            if self.context.current_tokens is None or self.context.oauth_metadata is not None:
                return
            self.context.token_expiry_time = storage.expires_at
            self.context.oauth_metadata = storage.authorization_server()
            self.context.protected_resource_metadata = storage.resource()

        async def _auth_flow(self, request: Any) -> Any:
            flow = super()._auth_flow(request)
            try:
                outgoing = await anext(flow)
                may_renew = True
                while True:
                    response = yield outgoing
                    if outgoing is request and response.status_code == 401 and may_renew and self._can_renew():
                        may_renew = False
                        if await self._handle_refresh_response((yield await self._refresh_token())):
                            self._add_auth_header(request)
                            response = yield request
                    outgoing = await flow.asend(response)
            except StopAsyncIteration:
                return
            finally:
                await flow.aclose()

        def _can_renew(self) -> bool:
            return self.context.oauth_metadata is not None and self.context.can_refresh_token()

    return Renewing(storage=storage, **options)
