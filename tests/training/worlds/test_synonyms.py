"""Synonyms: practice is told in other words, names are left alone, and nothing held out is said by chance."""

from __future__ import annotations

import random

from atlas.training.worlds.synonyms import vary


def _all(phrasing: str, held_out: tuple[str, ...] = ()) -> set[str]:
    return {vary(phrasing, held_out, random.Random(seed), share=0.7) for seed in range(300)}


def test_words_are_replaced_in_their_casing_and_slots_are_not() -> None:
    said = _all("Delete every {delete} in {file}")
    assert {"Erase each {delete} in {file}", "Wipe every {delete} in {file}"} <= said
    assert all("{delete}" in one and one[0].isupper() for one in said)


def test_a_noun_is_not_taken_for_a_verb() -> None:
    assert _all("a list of {set}, the count of it") == {"a list of {set}, the count of it"}


def test_longer_expressions_come_before_their_parts() -> None:
    said = _all("get rid of {file}")
    assert {"get rid of {file}", "remove {file}", "delete {file}", "discard {file}"} <= said
    assert not any("rid of" in one for one in said - {"get rid of {file}"})


def test_what_a_held_out_phrasing_says_is_not_said() -> None:
    held_out = ("<erase|wipe> <|all of >{file}",)
    said = _all("delete {file}", held_out)
    assert {"delete {file}", "remove {file}", "discard {file}"} <= said
    assert not {"erase {file}", "wipe {file}"} & said


def test_the_same_seed_says_the_same() -> None:
    assert [vary("show every {noun}", (), random.Random(4)) for _ in range(3)] == [
        vary("show every {noun}", (), random.Random(4))
    ] * 3
