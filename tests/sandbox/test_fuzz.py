"""A little of the fuzzing that `make fuzz` does for ten minutes, and what that has found."""

from __future__ import annotations

import random
import struct
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas.sandbox.frames import FrameBuffer, FrameError, encode

from . import fuzzing

maker = fuzzing.maker
BRIEF = settings(max_examples=150, deadline=None, derandomize=True, database=None)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=20,
)  # fmt: skip


@BRIEF
@given(st.binary(max_size=200), st.lists(st.integers(1, 50), min_size=1, max_size=4))
def test_any_bytes_are_messages_or_an_error(data: bytes, cuts: list[int]) -> None:
    fuzzing.frames(data, tuple(cuts))


@BRIEF
@given(st.integers(0, 2**32))
def test_damaged_frames_are_messages_or_an_error(seed: int) -> None:
    fuzzing.frames(fuzzing.frame_bytes(random.Random(seed)), (7, 64))


@BRIEF
@given(JSON, st.integers(1, 90))
def test_any_json_after_a_length_is_a_message_or_an_error(value: Any, size: int) -> None:
    body = encode({"v": value})[4:]
    framed = struct.pack("<I", len(body)) + body
    buffer = FrameBuffer(1 << 20)
    found = []
    for at in range(0, len(framed), size):
        buffer.feed(framed[at : at + size])
        while (message := buffer.next()) is not None:
            found.append(message)
    assert found == [{"v": value}]


@BRIEF
@given(st.text(max_size=120))
def test_any_text_is_refused_or_keeps_to_the_guards(source: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fuzzing.compiler(source)


def test_damaged_programs_are_refused_or_keep_to_the_guards() -> None:
    choose, known = random.Random(7), fuzzing.corpus()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        damaged = [maker.damaged(choose.choice(known), choose, known) for _ in range(250)]
        accepted = sum(fuzzing.compiler(source) is not None for source in damaged)
    assert accepted > 20


@pytest.fixture(scope="module")
def running() -> Iterator[Any]:
    made = fuzzing.Running()
    yield made
    made.close()


def test_random_programs_give_what_cpython_gives(running: Any) -> None:
    assert sum(running.same(maker.Maker(seed).program(3 + seed % 8)) for seed in range(120)) >= 115


def test_damaged_programs_have_a_proper_end(running: Any) -> None:
    choose, known = random.Random(11), fuzzing.corpus()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(80):
            running.program(maker.damaged(choose.choice(known), choose, known))
    fuzzing.support.works(running.sandbox)


HOLES = ["x.y", "x._y = 1", "import os", "__builtins__", "def f():\n    x.__class__", "del x._y", "x.join([])"]


@pytest.mark.parametrize("source", HOLES)
def test_the_fuzzer_would_see_a_hole(source: str) -> None:
    with pytest.raises(AssertionError):
        fuzzing.holds_in(compile(source, "<hole>", "exec"))


def test_a_long_f_string_is_no_hole() -> None:
    assert fuzzing.compiler("f'{1}' 'a'" * 20) is not None


FOUND_FRAMES = {
    "nested too deeply to walk over": b'{"t":"out","text":' + b"[" * 900 + b'"\\ud800"' + b"]" * 900 + b"}",
}


@pytest.mark.parametrize("name", FOUND_FRAMES)
def test_frames_that_once_got_through(name: str) -> None:
    buffer = FrameBuffer(4_096)
    framed = struct.pack("<I", len(FOUND_FRAMES[name])) + FOUND_FRAMES[name]
    buffer.feed(framed)
    with pytest.raises(FrameError):
        buffer.next()
    fuzzing.frames(framed)
