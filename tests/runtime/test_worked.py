"""Tools that worked for a similar task come first into view; only what somebody found solved counts."""

from __future__ import annotations

import asyncio

import pytest

TASK = "Send the weekly invoice of the bakery to its owner"
ALIKE = "Send the weekly invoice of the butcher to its owner"
OTHER = "Count the words in all notes"


def carrier(letter: str) -> str:
    """Takes pigeons out."""
    return letter


def solved(runs, task: str, verdict: str | None = "solved", split: str | None = None, **options) -> None:
    """A run of `task` that called the carrier, and what was said of it."""

    async def go():
        async with runs.runtime(["answer(app.carrier('x'))"], tools=[carrier], **options) as runtime:
            episode = await runtime.run(task, split=split)
            if verdict:
                runtime.store.rate(episode.id, verdict)

    asyncio.run(go())


def in_view(runs, task: str, **options) -> tuple[str, ...]:
    _, record = runs.recorded(["answer(1)"], task, tools=[carrier], **options)
    return record.turns[0].in_view


def test_what_worked_for_a_similar_task_comes_first(runs):
    assert in_view(runs, ALIKE)[0] != "app.carrier"
    solved(runs, TASK)
    shown = in_view(runs, ALIKE)
    assert shown[0] == "app.carrier" and len(shown) == len(set(shown))
    assert in_view(runs, OTHER)[0] != "app.carrier"


@pytest.mark.parametrize(
    "how", [{"verdict": "failed"}, {"verdict": None}, {"split": "heldout"}], ids=["failed", "unknown", "heldout"]
)
def test_only_what_is_known_to_have_worked_counts(runs, how):
    solved(runs, TASK, **how)
    assert in_view(runs, ALIKE)[0] != "app.carrier"


@pytest.mark.parametrize("options", [{"log": False}, {"remember": False}])
def test_without_a_memory_nothing_comes_first(runs, options):
    solved(runs, TASK)
    assert in_view(runs, ALIKE, **options)[0] != "app.carrier"


def test_a_tool_that_is_gone_is_not_missed(runs):
    solved(runs, TASK)
    _, record = runs.recorded(["answer(1)"], ALIKE)
    assert record.turns[0].in_view and "app.carrier" not in record.turns[0].in_view
