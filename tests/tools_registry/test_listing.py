"""Tool lists are read tool by tool, whatever a server sends."""

import asyncio
import json
from typing import Any

import mcp.types as types
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp import Client
from mcp.server import Server

from atlas.tools_registry import Tool, ToolIndex, stub
from atlas.tools_registry import listing as listings
from atlas.tools_registry.listing import Listing, decode, encode, fetch, head_of, read_tools

OBJECT = {"type": "object"}


def test_what_is_well_formed_is_kept_as_it_is() -> None:
    entry = {
        "name": "find-all",
        "description": "Find.",
        "inputSchema": {"type": "object", "properties": {"q": {"type": "string"}}},
        "outputSchema": OBJECT,
        "annotations": {"readOnlyHint": True, "idempotentHint": True},
        "_meta": {"unknown": 1},
    }
    (tool,), problems = read_tools([entry])
    assert (tool.name, tool.description, tool.read_only_hint, tool.idempotent_hint) == ("find-all", "Find.", True, True)
    assert (tool.input_schema, tool.output_schema, problems) == (entry["inputSchema"], OBJECT, [])


def test_a_hint_must_be_true_and_nothing_like_it() -> None:
    (tool,), _ = read_tools(
        [{"name": "a", "inputSchema": OBJECT, "annotations": {"readOnlyHint": "yes", "idempotentHint": 1}}]
    )
    assert (tool.read_only_hint, tool.idempotent_hint) == (False, False)


def test_a_title_stands_in_for_a_description() -> None:
    tools, _ = read_tools(
        [
            {"name": "a", "title": "A.", "inputSchema": OBJECT},
            {"name": "b", "annotations": {"title": "B."}, "inputSchema": OBJECT, "description": None},
            {"name": "c", "description": ["no", "text"], "inputSchema": OBJECT},
        ]
    )
    assert [tool.description for tool in tools] == ["A.", "B.", ""]


def test_a_name_listed_twice_and_an_oversized_tool_are_reported() -> None:
    tools, problems = read_tools(
        [
            {"name": "a", "description": "first", "inputSchema": OBJECT},
            {"name": "a", "inputSchema": OBJECT},
            {"name": "b", "description": "x" * 1_000_000, "inputSchema": OBJECT},
            {"name": "n" * 1_000, "inputSchema": OBJECT},
        ]
    )
    assert [tool.description for tool in tools] == ["first"]
    assert ["twice" in problems[0], "too large" in problems[1], "no usable name" in problems[2]] == [True] * 3


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(levels - 1):
        schema = {"type": "object", "properties": schema}
    return schema


def test_a_schema_too_deep_to_handle_is_left_out_and_the_deepest_other_one_is_kept() -> None:
    entry = {"description": "Does.", "inputSchema": OBJECT}
    tools, problems = read_tools(
        [
            {**entry, "name": "deepest", "inputSchema": nested(256)},
            {**entry, "name": "too_deep", "inputSchema": nested(900)},
            {**entry, "name": "deep_result", "outputSchema": nested(900)},
            {**entry, "name": "deep_rest", "_meta": nested(5_000)},
        ]
    )
    assert [tool.name for tool in tools] == ["deepest", "deep_result", "deep_rest"] and tools[1].output_schema is None
    assert problems == [
        "'too_deep' left out: its inputSchema is nested more than 256 levels deep",
        "'deep_result': its outputSchema is ignored, it is nested more than 256 levels deep",
    ]
    listing = Listing(tuple(tools))
    assert decode(encode(listing)) == listing and head_of(listing).tool_count == 3


def test_a_list_that_is_too_long_in_all_is_cut_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listings, "MAX_LISTING_CHARS", 10_000)
    tools, problems = read_tools([{"name": f"t{n}", "description": "x" * 950, "inputSchema": OBJECT} for n in range(50)])
    assert [tool.name for tool in tools] == [f"t{n}" for n in range(11)]
    assert problems == ["the tool list is too long; only the first 11 tools are used"]


def test_a_list_of_more_tools_than_any_is_cut_and_reported() -> None:
    tools, problems = read_tools([{"name": f"t{n}", "inputSchema": OBJECT} for n in range(10_002)])
    assert (len(tools), problems) == (10_000, ["the tool list is too long; only the first 10000 tools are used"])


def test_all_pages_together_have_one_time_out() -> None:
    asked: list[int] = []

    async def slow_page(context: Any, params: Any) -> types.ListToolsResult:
        asked.append(1)
        await asyncio.sleep(0.05)  # no page is slow enough for a time-out of its own
        return types.ListToolsResult(tools=[], next_cursor=str(len(asked)))

    async def main() -> None:
        async with asyncio.timeout(60), Client(Server("s", on_list_tools=slow_page)) as client:
            with pytest.raises(TimeoutError):
                await fetch(client, timeout_seconds=0.5)

    asyncio.run(main())
    assert 1 < len(asked) < 100


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=6), part, max_size=3),
    max_leaves=8,
)
FIELDS = ["name", "description", "title", "inputSchema", "outputSchema", "annotations"]
schemas = st.dictionaries(st.sampled_from(["type", "properties", "required", "$ref"]), json_values, max_size=3)


@settings(max_examples=60)
@given(st.lists(json_values | st.dictionaries(st.sampled_from(FIELDS), json_values | schemas), max_size=5))
def test_no_listing_crashes_anything_on_its_way_to_the_prompt(raw: list[Any]) -> None:
    listed, _ = read_tools(raw)
    tools = [Tool("s", f"t{n}", one.description, one.input_schema, one.output_schema) for n, one in enumerate(listed)]
    ToolIndex(tools).first_view("some task")
    for tool in tools:
        assert stub(tool).isprintable()
        json.dumps(tool.program_schema)
