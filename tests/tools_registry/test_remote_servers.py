"""Servers over HTTP, on loopback."""

import asyncio
import contextlib
import importlib.util
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from atlas.tools_registry import Registry, RegistryError, ServerConfig, ServerError, ToolFailed
from atlas.tools_registry.config import Transport

Serve = Callable[..., Any]


def modern() -> Any:
    spec = importlib.util.spec_from_file_location("modern_remote", Path(__file__).parent / "servers" / "modern.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.server


def run(use: Callable[[Registry], Awaitable[Any]], config: ServerConfig, **options: Any) -> Any:
    async def main() -> Any:
        async with asyncio.timeout(120), Registry([config], **options) as registry:
            return await use(registry)

    return asyncio.run(main())


def remote(url: str, transport: Transport = "http", **options: Any) -> ServerConfig:
    return ServerConfig("far", transport, url=url, **options)


async def add(registry: Registry) -> object:
    assert registry.servers[0].problem is None
    return await registry.call(registry.tools["far.add"], {"a": 40, "b": 2})


def test_streamable_http(serve: Serve) -> None:
    with serve(modern().streamable_http_app()) as url:
        assert run(add, remote(f"{url}/mcp")) == 42


def test_headers_of_the_configuration_are_sent(serve: Serve) -> None:
    async def use(registry: Registry) -> object:
        return await registry.call(registry.tools["far.header"], {"name": "x-team"})

    with serve(modern().streamable_http_app()) as url:
        assert run(use, remote(f"{url}/mcp", headers={"X-Team": "atlas"})) == "atlas"


def test_sse(serve: Serve) -> None:
    with serve(modern().sse_app()) as url:
        assert run(add, remote(f"{url}/sse", "sse")) == 42


def test_an_address_without_a_type_falls_back_to_sse(serve: Serve) -> None:
    with serve(modern().sse_app()) as url:
        assert run(add, remote(f"{url}/sse", "http_or_sse")) == 42


def test_an_endless_answer_beside_the_stream_of_sse_is_cut_off(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        kind = b"text/event-stream" if scope["method"] == "GET" else b"text/plain"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        if scope["method"] == "GET":
            event = b"event: endpoint\ndata: /messages\n\n"
            await send({"type": "http.response.body", "body": event, "more_body": True})
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        for _ in range(100):
            await send({"type": "http.response.body", "body": b" " * 1_000_000, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def use(registry: Registry) -> str | None:
        return registry.servers[0].problem

    with serve(app) as url:
        assert run(use, remote(f"{url}/sse", "sse", connect_seconds=3))
    assert "the answer exceeded the" in caplog.text  # nothing else tells of it


def test_a_result_over_the_limit_is_refused(serve: Serve) -> None:
    from mcp.server import MCPServer

    server = MCPServer("far")
    server.add_tool(lambda n: "x" * int(n), name="big", description="Big.")

    async def use(registry: Registry) -> None:
        with pytest.raises(ToolFailed) as caught:
            await registry.call(registry.tools["far.big"], {"n": "5000000"})
        assert caught.value.kind == "too_large"

    with serve(server.streamable_http_app()) as url:
        run(use, remote(f"{url}/mcp"), result_bytes=100_000)


async def received(receive: Any) -> dict[str, Any]:
    """The JSON object in the body of a request; empty where there is no body."""
    body = b""
    while (part := await receive())["type"] == "http.request":
        body += part.get("body", b"")
        if not part.get("more_body"):
            break
    asked: dict[str, Any] = json.loads(body or b"{}")
    return asked


def answering(kind: str, tools: Mapping[str, bytes]) -> Any:
    """An app that lists the names of `tools` and answers their calls with these bytes (ID stands for the request's id)."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        asked = await received(receive)
        number, params = asked.get("id"), asked.get("params") or {}
        status = 202 if number is None else 200 if scope["method"] == "POST" else 405
        said = tools[params["name"]] if asked.get("method") == "tools/call" else _said(asked.get("method"), tools)
        said = said.replace(b"ID", json.dumps(number).encode())
        said = b"data: " + said + b"\n\n" if kind == "text/event-stream" else said
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind.encode())]})
        await send({"type": "http.response.body", "body": said if status == 200 else b""})

    return app


def _said(method: str, tools: Iterable[str]) -> bytes:
    """The answer to anything but a call; half a character of a name is sent as its escape."""
    info = {"name": "far", "version": "1"}
    results: dict[str, Any] = {
        "initialize": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info},
        "tools/list": {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in tools]},
    }
    error = {"error": {"code": -32601, "message": "Method not found"}}
    answer = {"result": results[method]} if method in results else error
    return b'{"jsonrpc": "2.0", "id": ID, ' + json.dumps(answer).encode()[1:]


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
def test_half_a_character_in_what_a_server_sends_is_replaced(serve: Serve, kind: str) -> None:
    head = rb'{"jsonrpc": "2.0", "id": ID, '
    tools = {
        "half\ud800": b"",
        "content": head + rb'"result": {"content": [], "structuredContent": {"a": "\ud800"}}}',
        "error": head + rb'"error": {"code": -32603, "message": "broken \udc00"}}',
    }

    async def use(registry: Registry) -> None:
        assert registry.servers[0].problem is None
        assert {tool.tool_name for tool in registry.tools.values()} == {"half\ufffd", "content", "error"}
        assert await registry.call(registry.tools["far.content"], {}) == {"a": "\ufffd"}
        with pytest.raises(ToolFailed) as caught:
            await registry.call(registry.tools["far.error"], {})
        assert (caught.value.kind, caught.value.message) == ("failed", "broken \ufffd")

    with serve(answering(kind, tools)) as url:
        run(use, remote(f"{url}/mcp"))


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
def test_an_unreadable_answer_over_http_ends_its_call_at_once(serve: Serve, kind: str) -> None:
    tools = {
        "number": b'{"jsonrpc": "2.0", "id": ID, "result": {"n": ' + b"7" * 5_000 + b"}}",
        "no_id": b'{"jsonrpc": "2.0", "id": null, "error": {"code": "E_BROKEN", "message": null}}',
        "text": b"Internal error",
    }

    async def use(registry: Registry) -> None:
        for name in tools:
            with pytest.raises(ToolFailed) as caught:
                await registry.call(registry.tools[f"far.{name}"], {})
            assert caught.value.kind == "invalid_result" and caught.value.fate == "unknown"
            assert f"answered far.{name} with something unreadable" in caught.value.message

    with serve(answering(kind, tools)) as url:
        run(use, remote(f"{url}/mcp", call_seconds=200.0))


def test_an_answer_of_a_hundred_megabytes_is_cut_off_and_named(serve: Serve) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        asked = await received(receive)
        number, method = asked.get("id"), asked.get("method")
        results: dict[str, Any] = {
            "initialize": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                           "serverInfo": {"name": "far", "version": "1"}},
            "tools/list": {"tools": [{"name": "flood", "inputSchema": {"type": "object"}}]},
        }  # fmt: skip
        status = 202 if number is None else 200 if scope["method"] == "POST" else 405
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
        if method == "tools/call":
            for _ in range(100):
                await send({"type": "http.response.body", "body": b" " * 1_000_000, "more_body": True})
        error = {"error": {"code": -32601, "message": "Method not found"}}
        answer = {"jsonrpc": "2.0", "id": number, **({"result": results[method]} if method in results else error)}
        await send({"type": "http.response.body", "body": json.dumps(answer).encode() if status == 200 else b""})

    async def use(registry: Registry) -> None:
        with pytest.raises(RegistryError) as caught:
            await registry.call(registry.tools["far.flood"], {}, timeout_seconds=60)
        assert caught.value.fate == "unknown" and "far" in str(caught.value.where)
        assert caught.value.kind == "too_large" and "MB in one message" in caught.value.message

    with serve(app) as url:
        run(use, remote(f"{url}/mcp"))


def problem_of(url: str, **options: Any) -> str:
    async def use(registry: Registry) -> str:
        return registry.servers[0].problem or ""

    return str(run(use, remote(url, **options)))


def test_nobody_at_the_address(unused_port: int) -> None:
    problem = problem_of(f"http://user:pw@127.0.0.1:{unused_port}/mcp?key=secret")
    assert f"cannot be reached at http://127.0.0.1:{unused_port}/mcp" in problem
    assert "connection attempts failed" in problem.lower()
    assert "pw" not in problem and "secret" not in problem


def test_a_page_that_is_no_mcp_server(serve: Serve) -> None:
    async def page(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": b"<html>hello</html>"})

    with serve(page) as url:
        assert "cannot be reached" in problem_of(url)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_points_at_the_headers(serve: Serve, status: int) -> None:
    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"no"})

    with serve(refuse) as url:
        problem = problem_of(url)
        assert f"HTTP {status}" in problem
        assert '"headers"' in problem


def test_a_server_that_goes_away_between_calls_is_a_server_error_until_it_is_back(serve: Serve, unused_port: int) -> None:
    async def main() -> None:
        async with contextlib.AsyncExitStack() as stack:
            with serve(modern().streamable_http_app(), port=unused_port) as url:
                registry = await stack.enter_async_context(Registry([remote(f"{url}/mcp", connect_seconds=3.0)]))
                assert await add(registry) == 42
            with pytest.raises(ServerError) as caught:
                await registry.call(registry.tools["far.add"], {"a": 1})
            assert "'far'" in caught.value.message
            with serve(modern().streamable_http_app(), port=unused_port):
                assert await add(registry) == 42

    asyncio.run(main())
