"""What tools without an output schema returned in earlier runs stands in their stubs, marked as observed."""

from __future__ import annotations

import pytest

from atlas.runtime.observed import schema_of


def orders(customer: str):
    """Lists the orders of a customer."""
    return [{"number": 7, "total": 1.5, "note": None}, {"number": 8, "total": 2, "note": "late"}]


def renamed(customer: str):
    """Lists the orders of a customer, newest first."""
    return "seven"


SHOWN = "-> list[dict(number=int, total=float, note=str | None)]"
CALL = ["answer(app.orders('ann'))"]


def shown(runs, functions, **options) -> str:
    """The stub of the first prompt: what the tool does, then how it is called."""
    _, record = runs.recorded(["answer(1)"], "list the orders of the customer ann", tools=functions, **options)
    lines = record.turns[0].prompt_text.splitlines()
    found = next(number for number, line in enumerate(lines) if "app.orders" in line)
    return "\n".join(lines[found - 1 : found + 1])


def test_the_next_run_shows_what_the_last_one_got(runs):
    assert "->" not in shown(runs, [orders])
    runs(CALL, tools=[orders])
    assert SHOWN in shown(runs, [orders]) and "(result as observed)" in shown(runs, [orders])


def test_another_tool_of_the_same_name_shows_nothing_of_it(runs):
    runs(CALL, tools=[orders])
    renamed.__name__ = "orders"
    assert "->" not in shown(runs, [renamed])


@pytest.mark.parametrize("options", [{"log": False}, {"remember": False}])
def test_without_a_memory_nothing_is_shown(runs, options):
    runs(CALL, tools=[orders])
    assert "->" not in shown(runs, [orders], **options)


def test_failed_calls_and_heldout_tasks_teach_nothing(runs):
    import asyncio

    def breaks(customer: str):
        """Lists the orders of a customer."""
        raise ValueError("no")

    breaks.__name__ = "orders"
    runs(["try:\n    app.orders('ann')\nexcept ToolError:\n    answer(1)"], tools=[breaks])

    async def heldout():
        async with runs.runtime(CALL, tools=[orders]) as runtime:
            await runtime.run("a task", split="heldout")

    asyncio.run(heldout())
    assert "->" not in shown(runs, [orders])


@pytest.mark.parametrize(
    ("values", "schema"),
    [
        ([], None),
        (["a", None], {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ([1, 2.5], {"type": "number"}),
        ([[], ["x"]], {"type": "array", "items": {"type": "string"}}),
        ([{"a": 1}, {"b": True}], {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "boolean"}}}),
        ([[[[[1]]]]], {"type": "array", "items": {"type": "array", "items": {"type": "array", "items": {"type": "array"}}}}),
    ],
)
def test_values_are_joined_into_one_schema(values, schema):
    assert schema_of(values) == schema
