"""The phrasebook adds to what is practised, and to nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from atlas.training import worlds
from atlas.training.worlds import composed_phrases, phrasebook
from atlas.training.worlds.composed_speech import phrasings as servers_phrasings
from atlas.training.worlds.phrasebook import further
from atlas.training.worlds.workspace.draft import phrasings as toolbox_phrasings
from atlas.training.worlds.workspace.single_text import COUNT_WORDS

FILES = Path(phrasebook.__file__).parent.glob("*.txt")
BOOK = {line[2:] for file in FILES for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("= ")}


def test_practice_says_more_and_held_out_tasks_say_what_they_always_said() -> None:
    practised, held_out = toolbox_phrasings(COUNT_WORDS, "practice"), toolbox_phrasings(COUNT_WORDS, "heldout")
    assert set(held_out) < set(COUNT_WORDS) and not set(held_out) & set(practised)
    assert len(practised) > 2 * len(COUNT_WORDS) and practised[: len(COUNT_WORDS) - len(held_out)] == tuple(
        text for text in COUNT_WORDS if text not in held_out
    )


@pytest.mark.parametrize("options", [pytest.param(one, id=name) for name, one in sorted(composed_phrases.ASK.items())])
def test_what_is_added_fills_the_slots_of_its_list(options: tuple[str, ...]) -> None:
    slots = {frozenset(re.findall(r"{\w+}", text)) for text in options}
    added = further(options, servers_phrasings(options, "heldout"))
    assert {frozenset(re.findall(r"{\w+}", text)) for text in added} <= slots


def test_a_phrasing_that_a_held_out_one_can_say_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    book = {"count {x}": ["tally <all|> {x}", "{x}: how many?", "!Tell the number of {x}"]}
    monkeypatch.setattr(phrasebook, "_book", lambda: book)
    assert further(("how often {x}", "count {x}"), ("how often {x}", "<tally|sum> {x}")) == tuple(book["count {x}"][1:])
    assert further(("count {x}", "tell the number of {x}"), ("tell the number of {x}",)) == tuple(book["count {x}"][:2])
    assert further(("count {y}", "count {x}"), ("count {y}",)) == tuple(book["count {x}"])


def test_every_list_that_the_book_names_is_there() -> None:
    written = "".join(file.read_text(encoding="utf-8") for file in Path(worlds.__file__).parent.rglob("*.py"))
    begun = {f'"{name.partition(" | ")[0][:40]}' for name in BOOK}
    assert begun and sorted(name for name in begun if name not in written) == []
