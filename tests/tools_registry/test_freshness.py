"""How long a tool list is taken for true: what the server says of it, what changes, and what the server was before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from atlas.tools_registry import Catalogue, Registry, ServerConfig, UnknownTool

Serve = Callable[..., Any]
HOUR = 3_600.0


class Far:
    """A server over HTTP that writes down what it is asked."""

    def __init__(self, ttl_seconds: float) -> None:
        from mcp.server import CacheHint, MCPServer

        self.server = MCPServer("far", cache_hints={"tools/list": CacheHint(ttl_ms=int(ttl_seconds * 1000))})
        self.offer("ask")
        self.app = self.server.streamable_http_app()
        self.methods: list[str] = []
        self.refused: list[str] = []
        """Methods whose next request gets an error."""

    def offer(self, name: str) -> None:
        """One tool more."""

        def answer() -> str:
            """Answers."""
            return "yes"

        self.server.add_tool(answer, name=name)

    def asked(self) -> list[str]:
        """What was asked of tools and of the server itself since the last time."""
        taken, self.methods = self.methods, []
        return [method for method in taken if method.startswith(("tools/", "server/"))]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        method = dict(scope.get("headers", ())).get(b"mcp-method", b"").decode()
        self.methods += [method] if method else []
        if method in self.refused:
            self.refused.remove(method)
            await send({"type": "http.response.start", "status": 400, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await self.app(scope, receive, send)


@pytest.fixture
def serve_far(serve: Serve) -> Callable[[float], Any]:
    """Serves a `Far` whose list holds for so many seconds; gives it with its configuration."""

    @contextmanager
    def serving(ttl_seconds: float) -> Iterator[tuple[Far, ServerConfig]]:
        far = Far(ttl_seconds)
        with serve(far) as url:
            yield far, ServerConfig("far", "http", url=f"{url}/mcp")

    return serving


def call(config: ServerConfig, catalogue: Catalogue, *names: str, clock: Callable[[], float] = time.time) -> None:
    """Open a registry and call these tools one after the other."""

    async def main() -> None:
        async with asyncio.timeout(120), Registry([config], catalogue=catalogue, clock=clock) as registry:
            for name in names:
                assert await registry.call(registry.tools[f"far.{name}"], {}) == "yes"

    asyncio.run(main())


@pytest.fixture(params=["on disk", "in memory"])
def catalogue(request: pytest.FixtureRequest, tmp_path: Path) -> Catalogue:
    return Catalogue(tmp_path / "c.db" if request.param == "on disk" else None)


def test_a_list_that_still_holds_is_not_asked_for_again(serve_far: Callable[[float], Any], catalogue: Catalogue) -> None:
    with serve_far(HOUR) as (far, config):
        call(config, catalogue, "ask")
        far.asked()
        call(config, catalogue, "ask", "ask")
        assert far.asked() == ["server/discover", "tools/call", "tools/call"]


def test_a_server_known_to_be_of_the_new_era_is_not_asked_what_it_is(
    serve_far: Callable[[float], Any], catalogue: Catalogue
) -> None:
    with serve_far(0) as (far, config):
        call(config, catalogue)
        far.asked()
        call(config, catalogue, "ask", "ask")
        assert far.asked() == ["tools/list", "tools/call", "tools/call"]


def test_a_list_whose_time_is_over_is_asked_for_by_the_next_call(
    serve_far: Callable[[float], Any], catalogue: Catalogue
) -> None:
    now = [time.time()]

    async def main(far: Far, config: ServerConfig) -> None:
        async with asyncio.timeout(120), Registry([config], catalogue=catalogue, clock=lambda: now[0]) as registry:
            assert await registry.call(registry.tools["far.ask"], {}) == "yes"
            far.offer("more")
            far.asked()
            with pytest.raises(UnknownTool):
                registry.tool("far.more")
            await registry.call(registry.tools["far.ask"], {})
            assert far.asked() == ["tools/call"]
            now[0] += HOUR + 60
            await registry.call(registry.tools["far.ask"], {})
            assert far.asked() == ["tools/list", "tools/call"] and "far.more" in registry.tools

    with serve_far(HOUR) as (far, config):
        asyncio.run(main(far, config))


def test_a_stale_list_is_refreshed_by_the_first_call_of_a_later_run_and_not_by_opening(
    serve_far: Callable[[float], Any], catalogue: Catalogue
) -> None:
    with serve_far(HOUR) as (far, config):
        call(config, catalogue)
        far.offer("more")
        far.asked()
        later = time.time() + 2 * HOUR
        call(config, catalogue, clock=lambda: later)
        assert far.asked() == []
        call(config, catalogue, "ask", "more", clock=lambda: later)
        assert far.asked() == ["tools/list", "tools/call", "tools/call"]


def test_a_server_that_is_no_longer_what_it_was_is_asked_anew(
    serve_far: Callable[[float], Any], catalogue: Catalogue
) -> None:
    with serve_far(0) as (far, config):
        call(config, catalogue)
        far.asked()
        far.refused.append("tools/list")
        call(config, catalogue, "ask")
        assert far.asked() == ["tools/list", "server/discover", "tools/list", "tools/call"]


def test_what_is_kept_of_a_server_and_cannot_be_read_is_no_reason_to_fail(
    serve_far: Callable[[float], Any], catalogue: Catalogue
) -> None:
    with serve_far(0) as (far, config):
        call(config, catalogue)
        catalogue.put_discovered(config.fingerprint, '{"supportedVersions": 5}')
        call(config, catalogue, "ask")
        catalogue.put_discovered(config.fingerprint, '{"supportedVersions": ["2099-01-01"], "capabilities": {}}')
        call(config, catalogue, "ask")


def test_a_list_that_changed_makes_the_server_be_asked_what_it_is(
    serve_far: Callable[[float], Any], catalogue: Catalogue
) -> None:
    with serve_far(0) as (far, config):
        call(config, catalogue)
        far.offer("more")
        call(config, catalogue, "ask")
        far.asked()
        call(config, catalogue, "more")
        assert "server/discover" in far.asked()
