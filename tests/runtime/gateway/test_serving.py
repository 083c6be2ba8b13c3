"""`atlas serve` as a process: who is let in, and what is left when it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from atlas.runtime.errors import UsageError
from atlas.runtime.gateway.guard import TOKEN_FILE, token_of

from ...waiting import PATIENCE_SECONDS, until, until_dead
from .conftest import Served, Upstreams

Serve = Callable[..., Served]
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
ACCEPT = {"accept": "application/json, text/event-stream"}


def test_only_the_token_on_a_loopback_name_and_from_no_page_lets_a_client_in(
    serve: Serve, upstream: Upstreams, tmp_path: Path
) -> None:
    served = serve("--pass-through", "--mcp", str(upstream.file(tmp_path, "full")))
    assert stat.S_IMODE(served.token_file.stat().st_mode) == 0o600
    for headers, status in (
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": served.token}, 401),
        (served.headers | {"Host": "evil.example"}, 421),
        (served.headers | {"Origin": "https://evil.example"}, 403),
        (served.headers | {"Origin": "null"}, 403),
        (served.headers, 400),
    ):  # the last one is let in, and told that it has not introduced itself
        answer = httpx.post(served.url, json=PING, headers=ACCEPT | headers, timeout=PATIENCE_SECONDS)
        assert answer.status_code == status, (headers, answer.text)
    big = httpx.post(served.url, content=b" " * 5_000_000, headers=ACCEPT | served.headers, timeout=PATIENCE_SECONDS)
    assert big.status_code == 413


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_client_that_vanishes_ends_what_it_asked_for(serve: Serve, upstream: Upstreams, tmp_path: Path, mode: str) -> None:
    served = serve("--pass-through", "--mcp", str(upstream.file(tmp_path, "full")))
    mark = tmp_path / "mark"

    async def main() -> None:
        async with (
            httpx2.AsyncClient(headers=served.headers, timeout=PATIENCE_SECONDS) as http,
            Client(streamable_http_client(served.url, http_client=http), mode=mode) as client,
        ):
            call = asyncio.ensure_future(client.call_tool("wait", {"mark": str(mark)}))
            await asyncio.to_thread(until, mark.exists)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)

    asyncio.run(main())
    until(lambda: (tmp_path / "mark.cancelled").exists())


@pytest.mark.kill
def test_a_killed_gateway_leaves_neither_servers_nor_workers(serve: Serve, upstream: Upstreams, tmp_path: Path) -> None:
    served = serve("--mcp", str(upstream.file(tmp_path, "full")), "--approve", "auto")

    async def main() -> None:
        async with (
            httpx2.AsyncClient(headers=served.headers, timeout=PATIENCE_SECONDS) as http,
            Client(streamable_http_client(served.url, http_client=http)) as client,
        ):
            result = await client.call_tool("run_program", {"program": "full.echo(text='hello')"})
            assert result.structured_content is not None and result.structured_content["value"] == "hello"
            started = children(served.process.pid)
            assert len(started) > 1 and upstream.processes()
            served.process.send_signal(signal.SIGKILL)
            for pid in started:
                await asyncio.to_thread(until_dead, pid)

    try:
        asyncio.run(main())
    except Exception as problem:  # the client's connection went with the gateway
        assert served.process.wait(PATIENCE_SECONDS) == -signal.SIGKILL, problem
    until(lambda: not upstream.processes(), lambda: upstream.processes())


def children(pid: int) -> list[int]:
    """All processes that a process started, and theirs."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *children(child)]
    return found


def test_standard_input_that_ends_ends_the_gateway_with_its_servers(upstream: Upstreams, tmp_path: Path) -> None:
    file = upstream.file(tmp_path, "full")
    parameters = StdioServerParameters(
        command=sys.executable, args=["-m", "atlas.cli", "serve", "--pass-through", "--mcp", str(file)],
        env={"ATLAS_HOME": os.environ["ATLAS_HOME"]},
    )  # fmt: skip

    async def main() -> None:
        async with asyncio.timeout(PATIENCE_SECONDS), Client(parameters) as client:
            assert (await client.call_tool("echo", {"text": "hi"})).content[0].text == "hi"  # type: ignore[union-attr]
            assert upstream.processes()

    asyncio.run(main())


def test_pass_through_of_nothing_is_a_usage_error(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "atlas.cli", "serve", "--pass-through"]
    done: Any = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert done.returncode == 2 and "no server is configured" in done.stderr


def test_a_token_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    token, file = token_of(tmp_path)
    assert token_of(tmp_path) == (token, file) and file.name == TOKEN_FILE
    file.chmod(0o644)
    with pytest.raises(UsageError, match="others can read"):
        token_of(tmp_path)
