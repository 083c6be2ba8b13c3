"""Servers for the tests of the registry, and a watch that none of their processes is left."""

import asyncio
import secrets
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from atlas.tools_registry import ServerConfig

from ..ports import reserved_port
from ..waiting import until

TOKEN = secrets.token_hex(8)
"""Marks the processes of this test process, whose tests run one after the other."""
SERVERS = Path(__file__).parent / "servers"


def _processes(token: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"REGISTRY_TEST={token}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


@pytest.fixture
def script() -> Iterator[Callable[..., ServerConfig]]:
    """Makes the configuration of `servers/NAME.py`; at the end no process started from it may be left."""

    def make(file: str, *arguments: str, **options: Any) -> ServerConfig:
        env = {"REGISTRY_TEST": TOKEN, **options.pop("env", {})}
        name = options.pop("name", file)
        return ServerConfig(name, command=sys.executable, args=(str(SERVERS / f"{file}.py"), *arguments), env=env, **options)

    yield make
    until(lambda: not _processes(TOKEN), lambda: _processes(TOKEN))  # one that was just killed takes a moment to go


@pytest.fixture
def serve() -> Callable[..., Any]:
    """A context manager that serves an ASGI app on loopback and gives its address."""
    return _serve


@contextmanager
def _serve(app: Any, port: int = 0) -> Iterator[str]:
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="critical", timeout_graceful_shutdown=1))
    listening = threading.Event()
    startup = server.startup

    async def announced(sockets: Any = None) -> None:
        await startup(sockets)
        listening.set()

    server.startup = announced  # type: ignore[method-assign]
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        assert listening.wait(60)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(60)


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port on loopback where nobody listens but a server of this test."""
    with reserved_port() as port:
        yield port
