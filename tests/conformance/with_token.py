"""A door to a gateway on loopback that adds the bearer token: the conformance suite has no way to send one.

    python with_token.py URL TOKEN_FILE      prints its own address, then serves until it is killed

Everything else passes unchanged, Host and Origin included, so that the gateway's own checks are what is tested.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


def door(url: str, token: str) -> Starlette:
    """The ASGI application."""
    client = httpx.AsyncClient(timeout=None)

    async def pass_on(request: Request) -> Response:
        headers = [(name, value) for name, value in request.headers.items() if name not in HOP_BY_HOP]
        sent = client.build_request(
            request.method, url, headers=[*headers, ("authorization", f"Bearer {token}")], content=await request.body()
        )
        answer = await client.send(sent, stream=True)

        async def body() -> AsyncIterator[bytes]:
            async for part in answer.aiter_raw():
                yield part

        passed = StreamingResponse(body(), status_code=answer.status_code, background=BackgroundTask(answer.aclose))
        for name, value in answer.headers.multi_items():
            if name not in HOP_BY_HOP:
                passed.headers.append(name, value)
        return passed

    return Starlette(routes=[Route("/mcp", pass_on, methods=["GET", "POST", "DELETE"])])


def main() -> None:
    """Serve."""
    url, token_file = sys.argv[1:]
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    print(f"http://localhost:{listener.getsockname()[1]}/mcp", flush=True)
    app = door(url, Path(token_file).read_text(encoding="ascii"))
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listener])


if __name__ == "__main__":
    main()
