"""References in the variants of the paper's table: what is loaded first, and one call a reply."""

from __future__ import annotations

import json

import pytest

from atlas.runtime.json_acting import extract_call
from atlas.training.suites import SuiteTask, suite_tasks
from atlas.training.worlds.json_calls import drill_reply, json_calls
from atlas.training.worlds.rehearse import rehearse
from atlas.training.worlds.variants import loading_programs, variant_replies

TASKS = list(suite_tasks("worlds:20", "practice", 24, 3))


def of_family(family: str) -> SuiteTask:
    return next(item for item in TASKS if item.task.family == family)


def test_every_json_reply_is_one_call_and_the_last_one_answers_as_the_programs_do() -> None:
    for item in TASKS:
        replies = variant_replies(item.world, item.task, loading="search", acting="json")
        assert all(extract_call(reply).program for reply in replies)
        last = json.loads(replies[-1])
        expected = rehearse(item.world, item.task).answer
        assert last == {"name": "answer", "arguments": {"value": json.loads(json.dumps(expected))}}


def test_a_search_is_two_calls_and_loads_what_it_found() -> None:
    item = of_family("search")
    searched, loaded = (json.loads(one.reply) for one in json_calls(item.world, item.task.programs)[:2])
    assert searched["name"] == "search_tools" and loaded["name"] == "load_tools"
    assert set(item.task.needed) <= set(loaded["arguments"]["names"])


@pytest.mark.parametrize("loading", ["servers", "tools", "eager"])
def test_nothing_is_searched_for_where_tools_are_loaded_otherwise(loading: str) -> None:
    for item in TASKS:
        assert "search_tools" not in "".join(loading_programs(item.world, item.task, loading))  # type: ignore[arg-type]


def test_servers_come_before_their_tools_and_both_before_the_calls() -> None:
    item = of_family("search")
    [tool] = item.task.needed
    programs = loading_programs(item.world, item.task, "tools")
    assert programs[:2] == (f'load_tools("{tool.partition(".")[0]}")', f'load_tools("{tool}")')
    assert loading_programs(item.world, item.task, "servers") == (programs[0], *programs[2:])


def test_before_it_is_said_that_no_tool_can_do_it_a_server_is_looked_at() -> None:
    item = of_family("beyond")
    first, *others = loading_programs(item.world, item.task, "servers")
    assert first.startswith("load_tools(") and first.count('"') == 2 and others


def test_drills_are_one_call_in_json_too() -> None:
    called = drill_reply('answer(crm.find(name="Ann", number=7))')
    assert json.loads(called) == {"name": "crm.find", "arguments": {"name": "Ann", "number": 7}}
    assert json.loads(drill_reply('answer("so it is")')) == {"name": "answer", "arguments": {"value": "so it is"}}


@pytest.mark.parametrize(
    ("suite", "tools", "servers"), [("worlds:20", 20, 9), ("worlds:250", 250, 9), ("worlds:2500", 2500, 40)]
)
def test_toolspaces_have_the_size_of_their_name(suite: str, tools: int, servers: int) -> None:
    [item] = suite_tasks(suite, "heldout", 1)
    assert len(item.world.tools) == tools
    assert len({tool.server for tool in item.world.tools}) <= servers
    assert suite != "worlds:2500" or len({tool.server for tool in item.world.tools}) == servers
