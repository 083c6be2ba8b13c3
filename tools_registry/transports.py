"""An SDK client for each way of reaching a server.

A *way* is the protocol and transport of one attempt: `auto` negotiates the protocol era, `legacy` opens with the old
handshake (Python servers before SDK 1.9 die of the question `auto` asks first), `sse` is the HTTP+SSE transport of 2024.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from . import sdk_internals
from .config import ServerConfig
from .leftovers import MARK
from .oauth import sign_in_first
from .stderr import StderrTail

logging.getLogger("mcp").addHandler(logging.NullHandler())  # a server's rubbish is reported, not printed

MessageHandler = Callable[[Any], Awaitable[None]]

AUTO = "auto"
KNOWN = "known"
"""Not asked for its era: what it answered earlier is taken for true."""
_WAYS = {"stdio": ("auto", "legacy"), "http": ("auto", "legacy"), "sse": ("sse",), "http_or_sse": ("auto", "sse")}
_SILENCE_SECONDS = 3_600.0
"""How long an open HTTP stream may stay silent; calls have their own time-out."""
_HTTP_SECONDS = 30.0


def ways(config: ServerConfig | None, remembered: str | None) -> list[str]:
    """The ways to try, the one that worked last time first. None is a server of this process."""
    possible = ["auto"] if config is None else list(_WAYS[config.transport])
    return sorted(possible, key=lambda way: way != remembered)


@asynccontextmanager
async def client_for(
    target: ServerConfig | object, way: str, *, stderr: StderrTail, mark: str, handler: MessageHandler, message_bytes: int,
    callbacks: dict[str, Any], on_trouble: Callable[[str], None], on_excess: Callable[[int], None],
    make: Callable[..., Any] | None = None, discovered: str | None = None,
) -> AsyncIterator[Any]:
    """Connect to a server in one way; the SDK's `Client`, or what `make` makes in its place, is connected inside.

    `on_trouble` hears of failing HTTP exchanges, whose status the SDK does not pass on; `on_excess` of a message of more
    than `message_bytes`. Beside what the SDK's client takes, `callbacks` may hold `auth` for HTTP (see `oauth`).
    """
    from mcp import Client

    sdk_internals.accept_odd_messages()
    options: dict[str, Any] = {"message_handler": handler, "cache": None, **callbacks}
    auth = options.pop("auth", None)
    if not isinstance(target, ServerConfig):
        async with Client(target, **options) as client:  # type: ignore[arg-type]
            yield client
        return
    mode = AUTO if way == AUTO else "legacy"
    if way == KNOWN and discovered is not None:
        from mcp_types import DiscoverResult
        from mcp_types.version import LATEST_MODERN_VERSION

        mode, options["prior_discover"] = LATEST_MODERN_VERSION, DiscoverResult.model_validate_json(discovered)
    async with (
        _transport(target, way, stderr, mark, message_bytes, on_trouble, on_excess, auth) as transport,
        (make or Client)(transport, mode=mode, **options) as client,
    ):
        yield client


@asynccontextmanager
async def _transport(
    config: ServerConfig, way: str, stderr: StderrTail, mark: str, message_bytes: int, on_trouble: Callable[[str], None],
    on_excess: Callable[[int], None], auth: Any,
) -> AsyncIterator[Any]:  # fmt: skip
    if config.transport == "stdio":
        from mcp import StdioServerParameters, stdio_client

        sdk_internals.bound_stdout(message_bytes, on_excess)
        yield stdio_client(
            StdioServerParameters(
                command=config.command, args=list(config.args), env={**config.env, MARK: mark}, cwd=config.cwd,
                encoding_error_handler="replace",
            ),
            errlog=stderr.file,
        )
    elif way == "sse":
        from mcp.client.sse import sse_client

        def bounded(*options: Any, **more_options: Any) -> Any:
            return _http_client(config, message_bytes, on_trouble, on_excess, auth)

        yield sse_client(
            config.url, headers=dict(config.headers), timeout=_HTTP_SECONDS, sse_read_timeout=_SILENCE_SECONDS, auth=auth,
            httpx_client_factory=bounded,
        )  # it bounds the events of its stream itself
    else:
        from mcp.client.streamable_http import streamable_http_client

        async with _http_client(config, message_bytes, on_trouble, on_excess, auth) as client:
            if auth is not None:
                await sign_in_first(client, config.url)
            yield streamable_http_client(config.url, http_client=client, max_sse_event_size=message_bytes)


def _http_client(
    config: ServerConfig, message_bytes: int, on_trouble: Callable[[str], None], on_excess: Callable[[int], None], auth: Any
) -> Any:
    import httpx2

    class Client(httpx2.AsyncClient):
        async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
            try:
                response = await super().send(request, **options)
            except httpx2.TransportError as error:
                on_trouble(str(error) or type(error).__name__)
                raise
            if response.status_code >= 400:
                on_trouble(f"HTTP {response.status_code}")
            if "event-stream" not in response.headers.get("content-type", ""):
                response.stream = Bounded(response.stream)
            return response

    class Bounded(httpx2.AsyncByteStream):
        """The body of one answer, as far as it is within bounds."""

        def __init__(self, stream: Any) -> None:
            self._stream = stream

        async def __aiter__(self) -> AsyncIterator[bytes]:
            size = 0
            async for chunk in self._stream:
                size += len(chunk)
                if size > message_bytes:
                    on_excess(size)
                    raise httpx2.ReadError(f"the answer exceeded the {message_bytes} byte limit")
                yield chunk

        async def aclose(self) -> None:
            await self._stream.aclose()

    timeout = httpx2.Timeout(_HTTP_SECONDS, read=_SILENCE_SECONDS)
    return Client(headers=dict(config.headers), timeout=timeout, auth=auth)
