"""An SDK client for each way of reaching a server.

A *way* is the protocol and transport of one attempt: `auto` negotiates the protocol era, `legacy` opens with the old
handshake (Python servers before SDK 1.9 die of the question `auto` asks first), `sse` is the HTTP+SSE transport of 2024.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from .config import ServerConfig
from .leftovers import MARK
from .stderr import StderrTail

logging.getLogger("mcp").addHandler(logging.NullHandler())  # a server's rubbish is reported, not printed

MessageHandler = Callable[[Any], Awaitable[None]]

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
    target: ServerConfig | object, way: str, *, stderr: StderrTail, mark: str, handler: MessageHandler, event_bytes: int,
    callbacks: dict[str, Any], on_trouble: Callable[[str], None],
) -> AsyncIterator[Any]:
    """Connect to a server in one way; the SDK's `Client` is connected inside the block.

    `on_trouble` hears of failing HTTP exchanges, whose status the SDK does not pass on.
    """
    from mcp import Client

    options: dict[str, Any] = {"message_handler": handler, "cache": None, **callbacks}
    if not isinstance(target, ServerConfig):
        async with Client(target, **options) as client:  # type: ignore[arg-type]
            yield client
        return
    mode = "auto" if way == "auto" else "legacy"
    async with (
        _transport(target, way, stderr, mark, event_bytes, on_trouble) as transport,
        Client(transport, mode=mode, **options) as client,
    ):
        yield client


@asynccontextmanager
async def _transport(
    config: ServerConfig, way: str, stderr: StderrTail, mark: str, event_bytes: int, on_trouble: Callable[[str], None]
) -> AsyncIterator[Any]:
    if config.transport == "stdio":
        from mcp import StdioServerParameters, stdio_client

        yield stdio_client(
            StdioServerParameters(
                command=config.command, args=list(config.args), env={**config.env, MARK: mark}, cwd=config.cwd,
                encoding_error_handler="replace",
            ),
            errlog=stderr.file,
        )
    elif way == "sse":
        from mcp.client.sse import sse_client

        yield sse_client(config.url, headers=dict(config.headers), timeout=_HTTP_SECONDS, sse_read_timeout=_SILENCE_SECONDS)
    else:
        from mcp.client.streamable_http import streamable_http_client

        async with _http_client(config, on_trouble) as client:
            yield streamable_http_client(config.url, http_client=client, max_sse_event_size=event_bytes)


def _http_client(config: ServerConfig, on_trouble: Callable[[str], None]) -> Any:
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
            return response

    timeout = httpx2.Timeout(_HTTP_SECONDS, read=_SILENCE_SECONDS)
    return Client(headers=dict(config.headers), timeout=timeout)
