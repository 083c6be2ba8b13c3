"""Composed worlds: references that work, pieces held out, the same world from the same seed, and over MCP."""

from __future__ import annotations

import asyncio
import builtins
import hashlib
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pytest

from atlas.tools_registry.search import ToolIndex
from atlas.tools_registry.stubs import prompt_stub, stub
from atlas.training.worlds import composed_phrases
from atlas.training.worlds.base import CANNOT, Split, World, WorldToolError, pool
from atlas.training.worlds.check import passes
from atlas.training.worlds.composed import HARD_SHARES, SHARES, composed_world
from atlas.training.worlds.composed_mcp import world_servers
from atlas.training.worlds.composed_names import FIELD_NAMES, PARAMETERS
from atlas.training.worlds.composed_tools import Records
from atlas.training.worlds.composed_words import THEMES, WORDS, cached_pool
from atlas.training.worlds.rehearse import rehearse, verify

SPLITS: tuple[Split, ...] = ("practice", "heldout")
WORLDS = 100
_TAILS = ("al", "am", "el", "em", "or", "ur", "un", "on")
LEXICON = [f"{head}{middle}{tail}x" for head in ("zo", "qu") for middle in "bdfgklmnprst" for tail in _TAILS]


@lru_cache(maxsize=1)
def _worlds() -> tuple[World, ...]:
    return tuple(composed_world(seed, split) for split in SPLITS for seed in range(WORLDS))


def _tasks() -> Iterator[tuple[World, Any]]:
    for world in _worlds():
        for task in world.tasks:
            yield world, task


def test_every_reference_solves_its_task_in_two_hundred_worlds() -> None:
    problems = [(world.seed, world.split, text) for world in _worlds() for text in verify(world)]
    assert problems == []


def test_every_reference_of_worlds_with_names_from_a_lexicon_solves_its_task() -> None:
    worlds = [composed_world(seed, "practice", tasks=12, wide=LEXICON) for seed in range(30)]
    assert [text for world in worlds for text in verify(world)] == []


def test_a_lexicon_gives_names_to_servers_verbs_nouns_fields_parameters_and_choices() -> None:
    plain, wide = (
        "\n".join(prompt_stub(tool) for seed in range(8) for tool in composed_world(seed, "practice", wide=words).tools)
        for words in ((), LEXICON)
    )
    word = "(?:zo|qu)[a-z]{3}x"
    places = (f"def {word}", rf"\.{word}\w*_", rf"\w_{word}\(", rf"[(]{word}: ", rf"dict\({word}=", f"'{word}'")
    for place in places:
        assert re.search(place, wide) and not re.search(place, plain), place


def test_every_tool_of_a_world_with_a_lexicon_is_described_since_its_verb_may_say_nothing() -> None:
    assert all(tool.description for seed in range(8) for tool in composed_world(seed, "practice", wide=LEXICON).tools)


@pytest.mark.parametrize("split", SPLITS)
def test_every_reference_of_hard_worlds_solves_its_task(split: Split) -> None:
    worlds = [composed_world(seed, split, hard=True) for seed in range(20)]
    assert [text for world in worlds for text in verify(world)] == []
    long = [task for world in worlds for task in world.tasks if task.family == "long"]
    assert long and all(4 <= len(task.programs) <= 8 for task in long)
    assert set(HARD_SHARES) >= {task.family for world in worlds for task in world.tasks}


def test_families_come_in_the_shares_that_are_promised() -> None:
    counts = Counter(task.family for _, task in _tasks())
    total = sum(counts.values())
    assert total == 2 * WORLDS * 8
    for family, share in SHARES.items():
        assert abs(counts[family] / total - share) < 0.035, (family, counts[family] / total)


def test_a_world_has_five_to_nine_servers_and_as_many_tools_as_asked() -> None:
    for world in _worlds()[:40]:
        assert len(world.tools) == 64
        assert len({tool.full_name for tool in world.tools}) == 64
        assert 4 <= len({tool.server for tool in world.tools}) <= 9


def test_only_the_families_that_are_asked_for_come() -> None:
    world = composed_world(5, "practice", tasks=6, families=["loop", "beyond"])
    assert {task.family for task in world.tasks} <= {"loop", "beyond"} and len(world.tasks) == 6


def test_needed_tools_are_among_the_first_hits_and_hidden_ones_are_found_by_the_search() -> None:
    for world in _worlds()[::4]:
        index = ToolIndex(world.tools)
        for task in world.tasks:
            if task.hidden:
                queries = [program.split('"')[1] for program in task.programs if program.startswith("load_tools")]
                found = {hit.tool.full_name for query in queries for hit in index.search(query, 4)}
                assert set(task.needed) <= found, task.text
            elif task.needed:
                assert set(task.needed) <= {hit.tool.full_name for hit in index.search(task.text, 10)}, task.text


def test_each_needed_tool_has_two_distractors_of_near_name() -> None:
    lonely = 0
    checked = 0
    for world in _worlds()[::3]:
        index = ToolIndex(world.tools)
        for task in world.tasks:
            for name in task.needed:
                checked += 1
                words = name.replace(".", " ").replace("_", " ")
                near = [hit for hit in index.search(words, 12) if hit.tool.full_name != name]
                lonely += len(near) < 2
    assert lonely == 0 and checked > 200


def test_a_task_beyond_all_tools_changes_nothing_and_says_so() -> None:
    for world, task in _tasks():
        if task.impossible:
            untouched = world.open().snapshot()
            done = rehearse(world, task)
            assert done.answer == CANNOT and done.snapshot == untouched and done.called == []


def test_the_check_takes_the_reference_and_refuses_idleness() -> None:
    for world, task in list(_tasks())[::7]:
        expected = rehearse(world, task)
        good, why = passes(task, expected, answer=expected.answer, gave_up=task.impossible, snapshot=expected.snapshot)
        assert good, why
        if not task.impossible:
            idle, _ = passes(task, expected, answer=CANNOT, gave_up=True, snapshot=world.open().snapshot())
            assert not idle


def test_repairs_follow_a_failure_and_repeat_no_effect() -> None:
    seen = 0
    for world, task in _tasks():
        if task.family == "trouble":
            done = rehearse(world, task)
            assert "ToolError" in done.results[0], task.text
            effects = [line.removeprefix("done: ") for line in done.results[0].splitlines() if line.startswith("done: ")]
            assert all(effect.split("(")[0] not in task.programs[-1] for effect in effects)
            seen += 1
    assert seen > 40


def _fingerprint(seed: int, split: Split) -> str:
    world = composed_world(seed, split)
    text = "\n".join([*map(stub, world.tools), *(repr((task.text, task.programs)) for task in world.tasks)])
    return hashlib.sha256(text.encode()).hexdigest()


def test_the_same_seed_gives_the_same_world_in_another_process() -> None:
    code = (
        "import hashlib\nfrom atlas.tools_registry.stubs import stub\n"
        "from atlas.training.worlds.composed import composed_world\n"
        "world = composed_world(11, 'practice')\n"
        "text = '\\n'.join([*map(stub, world.tools), *(repr((task.text, task.programs)) for task in world.tasks)])\n"
        "print(hashlib.sha256(text.encode()).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == _fingerprint(11, "practice")


def test_nouns_names_values_and_phrasings_are_disjoint_between_the_splits() -> None:
    practice, heldout = (
        {
            word
            for theme in cached_pool(tuple(THEMES), split)
            for _, noun, synonym in theme.nouns
            for word in (noun, synonym)
            if word
        }
        for split in SPLITS
    )
    assert practice and heldout and not practice & heldout
    servers = [{name for theme in cached_pool(tuple(THEMES), split) for name in theme.servers} for split in SPLITS]
    assert not servers[0] & servers[1]
    for words in WORDS.values():
        assert not set(pool(words, "practice")) & set(pool(words, "heldout"))
    for table in (composed_phrases.ASK, composed_phrases.DO, composed_phrases.WHERE):
        for templates in table.values():
            assert not set(cached_pool(templates, "practice")) & set(cached_pool(templates, "heldout"))


def test_parameter_and_field_names_are_disjoint_between_the_splits() -> None:
    for table in (FIELD_NAMES, PARAMETERS):
        for practice, heldout in table.values():
            assert not set(practice) & set(heldout)
    names = {
        split: {name for world in _worlds() if world.split == split for tool in world.tools for name in tool.parameters}
        for split in SPLITS
    }
    shared = names["practice"] & names["heldout"]
    assert len(shared) <= 0.05 * len(names["heldout"]), sorted(shared)


def test_no_server_hides_a_function_that_programs_use() -> None:
    assert not {server for theme in THEMES for server in theme.servers} & set(dir(builtins))


def test_texts_of_the_splits_share_no_task() -> None:
    texts = {split: {task.text.lower() for world, task in _tasks() if world.split == split} for split in SPLITS}
    assert not texts["practice"] & texts["heldout"]


def test_stubs_are_short() -> None:
    lengths = sorted(len(stub(tool)) for world in _worlds()[:40] for tool in world.tools)
    assert lengths[len(lengths) // 2] < 130
    assert lengths[-1] < 420


def test_errors_of_a_world_name_what_is_wrong() -> None:
    world = _worlds()[0]
    state = world.open()
    with pytest.raises(WorldToolError, match="unknown tool"):
        state.call("nowhere.nothing", {})
    tool = next(tool for tool in world.tools if tool.parameters)
    with pytest.raises(WorldToolError, match="has no parameter bogus"):
        state.call(tool.full_name, {"bogus": 1})


def _plain(result: Any, tool: Any) -> Any:
    import json

    if result.structured_content is None:
        return json.loads(result.content[0].text)
    wrapped = list((tool.output_schema or {}).get("properties", ())) == ["result"]
    return result.structured_content["result"] if wrapped else result.structured_content


def test_a_world_answers_the_same_over_mcp_as_directly() -> None:
    from mcp import Client

    async def main() -> None:
        world = composed_world(3, "practice")
        state, twin = world.open(), world.open()
        assert isinstance(state, Records)
        by_name = {tool.full_name: tool for tool in world.tools}
        listed = 0
        async with asyncio.timeout(30):
            for name, server in world_servers(state).items():
                async with Client(server) as client:
                    for tool in (await client.list_tools()).tools:
                        known = by_name[f"{name}.{tool.name}"]
                        listed += 1
                        assert tool.input_schema == known.input_schema and tool.output_schema == known.output_schema
                        assert tool.annotations is not None and tool.annotations.read_only_hint == known.read_only
                        assert tool.annotations.idempotent_hint == known.idempotent
                        result = await client.call_tool(tool.name, {})
                        try:
                            expected = twin.call(known.full_name, {})
                        except WorldToolError as error:
                            assert result.is_error and result.content[0].text == f"{error.message} [{error.kind}]"
                        else:
                            assert not result.is_error and _plain(result, known) == expected
        assert listed == len(world.tools)
        assert state.snapshot() == twin.snapshot()

    asyncio.run(main())
