"""The workspace worlds: references that run, shares, repeatability, and nothing held out that is also practised."""

from __future__ import annotations

import ast
import contextlib
import importlib
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from atlas.tools_registry.search import ToolIndex
from atlas.training.worlds.base import Split, Task, World, WorldToolError
from atlas.training.worlds.check import passes
from atlas.training.worlds.rehearse import rehearse, verify
from atlas.training.worlds.workspace import FAMILIES, workspace_world
from atlas.training.worlds.workspace.draft import Desk, Draft, Unsuitable, phrasings
from atlas.training.worlds.workspace.folder import Draw, Folder, make_folder
from atlas.training.worlds.workspace.loop import each_count
from atlas.training.worlds.workspace.single_files import append
from atlas.training.worlds.workspace.single_text import COUNT_WORDS, counting, replace
from atlas.training.worlds.workspace.trouble import suggested

SPLITS: tuple[Split, Split] = ("practice", "heldout")
MODULES = (
    "single_text single_files single_tables single_other chain loop condition trouble beyond".split()
)


def _asks_a_database(task: Task) -> bool:
    return bool({"tables.sql", "tables.describe"} & set(task.needed))


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"atlas.training.worlds.workspace.{name}")


def _template_lists() -> Iterator[tuple[str, ...]]:
    for name in MODULES:
        module = _module(name)
        for value in vars(module).values():
            yield from _lists_in(value)


def _lists_in(value: Any) -> Iterator[tuple[str, ...]]:
    if isinstance(value, tuple) and value and all(isinstance(item, str) for item in value):
        if any("{" in item for item in value):
            yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _lists_in(item)


def test_every_reference_runs_and_calls_what_it_says() -> None:
    for split in SPLITS:
        for seed in range(60):
            world = workspace_world(seed, split, tasks=2, tool_count=64 if seed % 3 == 0 else 22)
            problems = verify(world, [task for task in world.tasks if not _asks_a_database(task)])
            assert not problems, problems


def test_every_query_runs() -> None:
    for split in SPLITS:
        for seed in range(300, 306):
            world = workspace_world(seed, split, families=["single", "chain", "loop", "condition", "trouble"])
            problems = verify(world, [task for task in world.tasks if _asks_a_database(task)])
            assert not problems, problems


def test_a_reference_passes_its_own_check() -> None:
    world = workspace_world(7, "practice", families=["single", "loop"])
    for task in world.tasks:
        if _asks_a_database(task):
            continue
        done = rehearse(world, task)
        good, why = passes(task, done, answer=done.answer, gave_up=False, snapshot=done.snapshot)
        assert good, why


def test_families_come_in_their_shares() -> None:
    counts = Counter(task.family for seed in range(150) for task in workspace_world(seed, "practice", tool_count=22).tasks)
    total = sum(counts.values())
    for family, share in FAMILIES.items():
        assert abs(counts[family] / total - share) < 0.045, (family, counts)


def test_a_seed_makes_the_same_world_in_every_process() -> None:
    program = (
        "from atlas.training.worlds.workspace import workspace_world as make\n"
        "import hashlib\n"
        "worlds = [make(seed, split) for seed in range(3) for split in ('practice', 'heldout')]\n"
        "print(hashlib.sha256(repr([(world.files, world.tasks) for world in worlds]).encode()).hexdigest())"
    )
    found = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        found.add(done.stdout.split()[-1])
    assert len(found) == 1


def test_no_held_out_phrasing_is_practised() -> None:
    lists = list(_template_lists())
    assert sum(map(len, lists)) > 1000
    practised = {template for templates in lists for template in phrasings(templates, "practice")}
    for templates in lists:
        held = phrasings(templates, "heldout")
        assert held and not set(held) & practised, set(held) & practised


def test_held_out_names_never_appear_in_practice_files() -> None:
    words: dict[Split, set[str]] = {}
    for split in SPLITS:
        texts = [text for seed in range(20) for text in workspace_world(seed, split, tasks=1).files.values()]
        words[split] = {word for text in texts for word in re.findall(r"\b[A-Z]\w+(?= said| prefers| found)", text)}
    assert words["practice"] and words["heldout"] and not words["practice"] & words["heldout"]


def _drafts(make: Callable[[Desk], Draft], count: int) -> Iterator[tuple[Desk, Draft]]:
    for seed in range(count):
        draw = Draw(random.Random(seed), "practice")
        desk = Desk(draw, make_folder(draw))
        with contextlib.suppress(Unsuitable):
            yield desk, make(desk)


def test_the_named_tasks_are_practised() -> None:
    words = counting("words", COUNT_WORDS)[1]
    assert any(re.match(r"[Hh]ow many words are in \S+\.md\?$", draft.text) for _, draft in _drafts(words, 400))
    saved = "counts = {}\nfor path in files.find(pattern="
    programs = [draft.programs[-1] for _, draft in _drafts(each_count, 60)]
    assert any(program.startswith(saved) and "json.dumps(counts)" in program for program in programs)
    replaced = r'text\.replace\(path=".*", old="\$\d.*", new="`\$\d+`"\)'
    assert any(re.match(replaced, draft.programs[0]) for _, draft in _drafts(replace, 400))


def test_values_with_quotes_dollars_and_backticks_are_written_right() -> None:
    found = 0
    for desk, draft in _drafts(append, 200):
        call = ast.parse(draft.programs[0]).body[0]
        assert isinstance(call, ast.Expr) and isinstance(call.value, ast.Call)
        path, content = (ast.literal_eval(keyword.value) for keyword in call.value.keywords)
        assert path in desk.folder.paths and content[:-1] in draft.text and content.endswith("\n")
        found += any(mark in content for mark in "\"'`$")
    assert found > 20


def test_a_hidden_tool_is_found_by_the_search_of_the_reference() -> None:
    for seed in range(30):
        world = workspace_world(seed, "heldout", families=["search"], tasks=4)
        index = ToolIndex(world.tools)
        for task in world.tasks:
            query = re.match(r'load_tools\(\*search_tools\("(.*)", k=4\)\)$', task.programs[0])
            assert query and len(task.programs) >= 2 and task.hidden
            assert task.hidden[0] in {hit.tool.full_name for hit in index.search(query[1], 4)}


def test_what_is_beyond_every_tool_changes_nothing() -> None:
    world = workspace_world(3, "practice", families=["beyond"])
    for task in world.tasks:
        done = rehearse(world, task)
        assert task.impossible and not done.called and str(done.answer).startswith("Cannot")
        assert {path: text for path, text in done.snapshot.items() if path in world.files} == world.files


def test_trouble_is_mended_by_what_the_error_says() -> None:
    seen = 0
    for seed in range(30):
        world = workspace_world(seed, "practice", families=["trouble"], tasks=4, tool_count=22)
        for task in world.tasks:
            if _asks_a_database(task):
                continue
            done = rehearse(world, task)
            assert "error: line" in done.results[0] and "did you mean" in done.results[0]
            seen += 1
    assert seen > 50


def test_the_suggestion_expected_is_the_one_that_the_toolbox_makes() -> None:
    for seed in range(12):
        world = workspace_world(seed, "practice", tasks=1, tool_count=22)
        folder = make_folder(Draw(random.Random(seed), "practice"))
        state = _opened(world, folder)
        try:
            for file in folder.files:
                wrong = file.path.upper()
                said = suggested(folder, wrong)
                try:
                    state.call("files.read", {"path": wrong})
                except WorldToolError as error:
                    assert (f"did you mean {said}?" in error.message) if said else ("did you mean" not in error.message)
        finally:
            state.close()


def _opened(world: World, folder: Folder) -> Any:
    state = world.open()
    for path in world.files:
        state.call("files.delete", {"path": path})
    for file in folder.files:
        state.call("files.write", {"path": file.path, "content": file.text})
    return state


def test_a_run_starts_untouched_and_leaves_nothing_behind() -> None:
    world = workspace_world(5, "practice")
    first = world.open()
    first.call("files.write", {"path": "new.txt", "content": "x"})
    assert first.snapshot()["new.txt"] == "x"
    root = first.root  # type: ignore[attr-defined]
    first.close()
    assert not root.exists()
    second = world.open()
    assert "new.txt" not in second.snapshot()
    second.close()


def test_other_servers_are_there_as_distractors() -> None:
    world = workspace_world(11, "practice", tool_count=64)
    assert len(world.tools) >= 60 and len({tool.full_name for tool in world.tools}) == len(world.tools)
    assert {tool.server for tool in world.tools[:22]} == {"files", "text", "tables", "clock", "units"}


def test_names_of_a_wide_world_are_words_of_its_lexicon_and_its_references_still_run() -> None:
    ends = ("dax", "mor", "tig", "ney", "lus")
    lexicon = [f"{first}{end}" for first in ("quo", "zep", "brin", "vaul") for end in ends]
    for seed in range(3):
        wide = workspace_world(seed, "practice", tasks=10, wide=lexicon)
        names = {word for path in wide.files for word in re.findall(r"[a-z]{6,}", path.rpartition(".")[0])}
        assert names & set(lexicon)
        assert verify(wide) == []
