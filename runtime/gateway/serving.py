"""Serves an MCP server object to clients: over standard input and output to one, over HTTP on loopback to several."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from .guard import Guard
from .limits import GatewayLimits

if TYPE_CHECKING:
    from mcp.server import Server

PATH = "/mcp"
HOST = "127.0.0.1"
_GRACE_SECONDS = 2


async def serve_stdio(server: Server[Any], limits: GatewayLimits) -> None:
    """Serve the client at the other end of standard input and output until it goes away."""
    from .standard_streams import standard_streams

    async with standard_streams(limits) as (read, write):
        await server.run(read, write, server.create_initialization_options())


async def serve_http(
    server: Server[Any], limits: GatewayLimits, *, port: int, token: str, on_ready: Callable[[str], None]
) -> None:
    """Serve on loopback until cancelled; `port` 0 takes a free one. `on_ready` is told the address.

    Raises `UsageError` where the port cannot be had.
    """
    import uvicorn

    app = server.streamable_http_app(
        streamable_http_path=PATH, max_request_body_size=limits.request_bytes, session_idle_timeout=limits.idle_seconds,
        max_sessions=limits.clients, host=HOST,
    )  # fmt: skip
    with _listening(port) as listener:
        config = uvicorn.Config(
            Guard(app, token), log_level="critical", access_log=False, timeout_graceful_shutdown=_GRACE_SECONDS,
            limit_concurrency=limits.clients * 16, h11_max_incomplete_event_size=65_536, server_header=False,
        )  # fmt: skip
        web = _web(config, lambda: on_ready(f"http://{HOST}:{listener.getsockname()[1]}{PATH}"))
        task = asyncio.ensure_future(web.serve(sockets=[listener]))
        try:
            await asyncio.shield(task)
        finally:
            web.should_exit = True
            with suppress(asyncio.CancelledError):
                await asyncio.wait({task})


def _listening(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError as problem:
        listener.close()
        what, mend = f"port {port} cannot be had: {problem.strerror}", "choose another; 0 takes a free one"
        raise UsageError(what, where="--http", mend=mend) from None
    return listener


def _web(config: Any, ready: Callable[[], None]) -> Any:
    """A uvicorn server that says when it listens, and leaves signals to whoever started the event loop."""
    import uvicorn

    class Web(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            ready()

        @contextmanager
        def capture_signals(self) -> Any:
            yield

    return Web(config)
