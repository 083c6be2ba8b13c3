"""A pool scored on a suite by its router, and several attempts at each task."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from atlas.runtime.episodes.store import EpisodeStore
from atlas.runtime.errors import UsageError
from atlas.runtime.policies import ScriptedPolicy
from atlas.runtime.routing.chooser import Chooser
from atlas.runtime.routing.crew import Crew
from atlas.runtime.routing.pool import Pool, PoolModel
from atlas.runtime.routing.spending import Purse
from atlas.runtime.routing.steps import Thinker
from atlas.training.evaluate import EvalReport, evaluate, pass_at
from atlas.training.suites import suite_tasks

LIMIT = 4


@pytest.fixture
def store() -> Iterator[EpisodeStore]:
    with EpisodeStore(None) as opened:
        yield opened


def programs() -> list[str]:
    return [program for item in suite_tasks("toolbox", "heldout", LIMIT) for program in item.task.programs]


def scored(
    store: EpisodeStore, replies: dict[str, list[str]], thinker: list[str] | None = None, **options: Any
) -> EvalReport:
    pool = Pool({name: PoolModel(model="nano", input_price=place) for place, name in enumerate(replies, 1)})
    policies = {name: ScriptedPolicy(texts) for name, texts in replies.items()}

    async def load(name: str, model: PoolModel) -> Any:
        return policies[name]

    async def scripted() -> Any:
        return ScriptedPolicy(thinker or [])

    async def go() -> EvalReport:
        purse = options.pop("purse", Purse())
        steps = None if thinker is None else Thinker(scripted, budget=6_000)
        router = "cluster" if thinker is None else "learned"
        async with Crew(Chooser(pool, store, None), router, steps, purse, load=load) as crew:  # type: ignore[arg-type]
            return await evaluate("toolbox", limit=LIMIT, crew=crew, **options)

    return asyncio.run(go())


def test_a_pool_is_scored_with_its_cost(store: EpisodeStore, tmp_path: Path):
    out = tmp_path / "tasks.jsonl"
    found = scored(store, {"a": programs(), "b": []}, out=out).to_json()
    assert found["success"] == 1.0 and found["router"] == "cluster" and found["asked"] == {"a": LIMIT}
    assert found["cost"]["total_usd"] == pytest.approx(LIMIT * found["cost"]["mean_usd"]) and found["cost"]["total_usd"] > 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert sum(line["cost_usd"] for line in lines) == pytest.approx(found["cost"]["total_usd"])
    assert lines[0]["route"]["model"] == "a"


def test_one_purse_holds_for_all_tasks(store: EpisodeStore):
    purse = Purse(0.0012)
    found = scored(store, {"a": programs() * 3}, purse=purse).to_json()
    assert purse.spent <= 0.0012 and found["success"] < 1.0


def test_the_learned_router_is_scored_by_what_it_answers(store: EpisodeStore):
    steps = ["<think>x</think><search>a@@all: do it</search>", "<think>x</think><answer>nothing of the kind</answer>"]
    found = scored(store, {"a": ["answer(1)"] * LIMIT}, steps * LIMIT).to_json()
    assert (found["router"], found["success"], found["calls"]) == ("learned", 0.0, 1.0)
    assert found["turns"] == 2


def test_attempts_are_told_as_pass_at_k(store: EpisodeStore):
    texts = [text for program in programs() for text in (program, 'answer("Cannot")')]
    report = asyncio.run(evaluate("toolbox", model=ScriptedPolicy(texts), limit=2, attempts=2, temperature=1.0))
    found = report.to_json()
    assert found["attempts"] == 2 and found["pass"] == {"1": 0.5, "2": 1.0}
    assert "cost" not in found and "router" not in found


def test_the_cost_of_a_task_is_that_of_all_its_attempts(store: EpisodeStore):
    purse = Purse()
    thrice = [program for program in programs() for _ in range(3)]
    found = scored(store, {"a": thrice}, purse=purse, attempts=3, temperature=1.0).to_json()
    assert found["pass"]["3"] == 1.0 and found["asked"] == {"a": 3 * LIMIT} and found["calls"] == 3
    assert found["cost"]["total_usd"] == pytest.approx(purse.spent) and purse.spent > 0
    assert found["cost"]["mean_usd"] == pytest.approx(purse.spent / LIMIT)


def test_pass_at_k_is_the_unbiased_estimate():
    tried = [[True, False, False, False], [False] * 4]
    assert [pass_at(size, tried) for size in (1, 2, 4)] == [0.125, 0.25, 0.5]


def test_attempts_without_chance_are_refused():
    with pytest.raises(UsageError, match="all attempts are the same"):
        asyncio.run(evaluate("toolbox", model=ScriptedPolicy([]), attempts=2))
