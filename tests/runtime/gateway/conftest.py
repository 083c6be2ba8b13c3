"""Gateways in this process, and as a process of their own, in front of real servers."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from atlas.runtime.gateway.limits import GatewayLimits
from atlas.runtime.gateway.passing import PassThrough
from atlas.tools_registry import ServerConfig

from ...waiting import ended, until

SERVERS = Path(__file__).parent / "servers"
SECONDS = 120
_MARK = "GATEWAY_TEST"


@dataclass(frozen=True)
class Upstreams:
    """Configurations of the servers of this folder; their processes carry a mark."""

    mark: str

    def __call__(self, name: str, *arguments: str, **options: Any) -> ServerConfig:
        called = options.pop("called", name)
        args = (str(SERVERS / f"{name}.py"), *arguments)
        return ServerConfig(called, command=sys.executable, args=args, env={_MARK: self.mark}, **options)

    def file(self, folder: Path, *names: str) -> Path:
        """A configuration file with servers."""
        entries = {
            name: {"command": sys.executable, "args": [str(SERVERS / f"{name}.py")], "env": {_MARK: self.mark}}
            for name in names
        }
        path = folder / "servers.json"
        path.write_text(json.dumps({"mcpServers": entries}))
        return path

    def processes(self) -> list[str]:
        """Command lines of the servers that run."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if f"{_MARK}={self.mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        return found


@pytest.fixture
def upstream() -> Iterator[Upstreams]:
    """Makes server configurations; at the end none of their processes may be left."""
    made = Upstreams(secrets.token_hex(8))
    yield made
    until(lambda: not made.processes(), lambda: made.processes())


@asynccontextmanager
async def passing(*configs: ServerConfig, many_clients: bool = False, **options: Any) -> AsyncIterator[PassThrough]:
    """A pass-through gateway of this process."""
    gateway = PassThrough(configs, many_clients=many_clients, limits=GatewayLimits(**options))
    try:
        async with asyncio.timeout(SECONDS):
            yield gateway
    finally:
        await gateway.close()


@dataclass(frozen=True)
class Served:
    """A gateway that runs as a process and serves over HTTP."""

    url: str
    token: str
    token_file: Path
    process: subprocess.Popen[str]

    @property
    def headers(self) -> dict[str, str]:
        """What lets a client in."""
        return {"Authorization": f"Bearer {self.token}"}


@pytest.fixture
def serve(tmp_path: Path, upstream: Upstreams) -> Iterator[Callable[..., Served]]:
    """Starts `atlas serve --http 0` with more arguments; the process ends with the test, before `upstream` looks."""
    started = []

    def start(*arguments: str) -> Served:
        command = [sys.executable, "-m", "atlas.cli", "serve", "--http", "0", "--json", *arguments]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
        started.append(process)
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        file = Path(said["token_file"])
        return Served(said["url"], file.read_text(), file, process)

    try:
        yield start
    finally:
        for process in started:
            with ended(process):
                process.terminate()
                process.wait(SECONDS)
