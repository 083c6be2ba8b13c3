"""What a run over HTTP is planned with: the endpoint's context and its way of counting are known before the first prompt."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest

from atlas.runtime import Runtime
from atlas.runtime.episodes import Record
from atlas.runtime.episodes.export import document_of
from atlas.runtime.policies import EndpointDown

from .policies.servers import Request, serving, text_chunk

DEFAULT_BUDGET, DEFAULT_WITHOUT_CONTEXT = 8_192, 7_168


def endpoint(context: int | None, *, counts: bool = False) -> Callable[[Request], None]:
    """A server with one model, that answers, and tokenises by words where `counts`."""

    def handler(request: Request) -> None:
        if request.path == "/v1/models":
            request.answer({"data": [{"id": "small"} | ({"max_model_len": context} if context else {})]})
        elif request.path == "/tokenize" and counts:
            request.answer({"count": len(request.body["content"].split())})
        elif request.path == "/v1/chat/completions":
            asked.append(request.body)
            request.stream([text_chunk("answer(1)", "stop")])
        else:
            request.answer({"error": "nothing here"}, 404)

    asked: list[dict[str, Any]] = []
    handler.asked = asked  # type: ignore[attr-defined]
    return handler


def run(workspace: Any, address: str, times: int = 1, **options: Any) -> list[dict[str, Any]]:
    """What the log says of some runs in one runtime."""

    async def go() -> list[dict[str, Any]]:
        async with Runtime(address, workspace=workspace, **options) as runtime:
            return [document_of(runtime.store, (await runtime.run("a task")).id)["episode"] for _ in range(times)]

    return asyncio.run(go())


@pytest.mark.parametrize(
    ("context", "asked", "budget"),
    [
        (32_768, 16_000, 16_000),
        (32_768, None, DEFAULT_BUDGET),
        (4_096, 16_000, 3_072),
        (4_096, None, 3_072),
        (None, 16_000, 16_000),
        (None, None, DEFAULT_WITHOUT_CONTEXT),
        (None, 2_000, 2_000),
    ],
)
def test_the_budget_is_bound_by_the_reported_context_alone(workspace, context, asked, budget):
    server = endpoint(context)
    with serving(server) as address:
        records = run(workspace, f"{address}/v1#small", 2, budget=asked)
    assert [record["settings"]["budget"] for record in records] == [budget, budget]
    assert all(body["max_tokens"] == 1_024 for body in server.asked)


@pytest.mark.parametrize(("counts", "counting"), [(True, "endpoint"), (False, "bound")])
def test_the_log_says_how_tokens_are_counted_in_truth(workspace, counts, counting):
    with serving(endpoint(4_096, counts=counts)) as address:
        assert run(workspace, f"{address}/v1#small")[0]["counting"] == counting


def test_an_endpoint_that_is_down_is_named_and_the_episode_says_so(workspace):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def go() -> Record:
        async with Runtime(f"http://127.0.0.1:{port}/v1#small", workspace=workspace) as runtime:
            with pytest.raises(EndpointDown, match=f"no connection to http://127.0.0.1:{port}/v1"):
                await runtime.run("a task")
            return runtime.store.get("latest")

    record = asyncio.run(go())
    assert record.episode.status == "error" and "no connection" in record.episode.error


def test_a_run_is_gone_on_with_and_forked_where_the_address_names_no_model(workspace):
    """Its identity holds the model's name, which only the server tells."""

    async def go(address: str, **more: Any) -> None:
        async with Runtime(address, workspace=workspace, budget=16_000) as runtime:
            if more:
                runtime.store.connection.execute("DELETE FROM turns")
                runtime.store.connection.execute("UPDATE episodes SET status = 'interrupted', answer = NULL")
                ended = [await runtime.resume("latest"), await runtime.fork("latest")]
            else:
                ended = [await runtime.run("a task")]
            records = [runtime.store.get(one.id).episode for one in ended]
        assert [record.model for record in records] == [f"{address}#small"] * len(records)
        assert [one.context.budget for one in ended] == [16_000] * len(records)

    with serving(endpoint(None)) as address:
        asyncio.run(go(f"{address}/v1"))
        asyncio.run(go(f"{address}/v1", resumed=True))
