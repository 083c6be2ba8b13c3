"""Finding tools by meaning: fused by rank with words, vectors kept by text, and no encoder that can end a search."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from atlas.tools_registry import Catalogue, Registry, ServerConfig, Tool, ToolIndex
from atlas.tools_registry.encoding import Vectors, unit
from atlas.tools_registry.fusion import fused
from atlas.tools_registry.listing import ListedTool, Listing
from atlas.tools_registry.meaning import ASKED_AGAIN_SECONDS, BATCH, Meaning, tool_text
from atlas.tools_registry.search import Meant, StoredIndex
from atlas.tools_registry.stored import ReadPart, open_space, store_space
from atlas.tools_registry.vectors import VectorCache

from ..waiting import PATIENCE_SECONDS

CONCEPTS = (("rain", "weather", "forecast"), ("letter", "mail", "message"), ("walk", "hike", "trails"))
MEANT = {word: place for place, words in enumerate(CONCEPTS) for word in words}


class Concepts:
    """An encoder that knows three ideas and the words for each; counts what it is asked."""

    identity = "concepts"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.batches: list[int] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        self.batches.append(len(texts))
        found = np.full((len(texts), len(CONCEPTS)), 0.01, np.float32)
        for row, text in zip(found, texts, strict=True):
            for word in text.lower().replace(".", " ").replace(":", " ").split():
                if word in MEANT:
                    row[MEANT[word]] += 1
        return unit(found)


def tool(server: str, name: str, description: str = "") -> Tool:
    return Tool(server, name, description, {"type": "object"}, None, server, name)


TOOLS = [
    tool("sky", "get_forecast", "The weather of a place."),
    tool("post", "send_message", "Send mail."),
    tool("outside", "find_trails", "Where to hike."),
    tool("letters", "count", "How many there are."),
]


def test_a_tool_that_shares_no_word_with_the_query_is_found_by_meaning() -> None:
    assert ToolIndex(TOOLS).search("rain") == []
    assert ToolIndex(TOOLS, None, Meant(Concepts())).search("rain")[0].tool.name == "get_forecast"
    view = ToolIndex(TOOLS, None, Meant(Concepts())).first_view("Will there be rain? Then I would rather walk.")
    assert {"get_forecast", "find_trails"} <= {one.name for one in view[:3]}


def test_what_is_first_by_words_and_by_meaning_is_first_of_all() -> None:
    words = np.array([[3.0, 2.0, 1.0, 0.0]], np.float32)
    near = np.array([[0.1, 0.9, 0.2, -0.5]], np.float32)
    whole = fused(words, near)[0]
    assert whole.argmax() == 1 and whole[3] == 0
    assert fused(words, words)[0, 0] == pytest.approx(1)


def test_only_texts_that_are_new_are_encoded(tmp_path: Path) -> None:
    file = tmp_path / "c.db"
    first = Concepts()
    ToolIndex(TOOLS, None, Meant(first, file)).search("rain")
    assert sorted(first.asked) == sorted([*map(tool_text, TOOLS), "rain"])
    changed = [*TOOLS[:3], tool("letters", "count", "Counts them.")]
    second = Concepts()
    ToolIndex(changed, None, Meant(second, file)).search("rain")
    assert second.asked == [tool_text(changed[3]), "rain"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_stored_toolspace_is_not_even_read_a_second_time(tmp_path: Path) -> None:
    file = tmp_path / "c.db"
    store_space(file, "k", [ReadPart("part", TOOLS)])
    for time in (1, 2):
        space, encoder = open_space(file, "k"), Concepts()
        assert space is not None
        assert StoredIndex(space, "k", Meant(encoder, file)).search("rain")[0].tool.name == "get_forecast"
        assert len(encoder.asked) == (5 if time == 1 else 1)
        space.close()


def test_thousands_are_encoded_in_batches_and_an_interrupted_start_is_gone_on_with(tmp_path: Path) -> None:
    many = [tool("s", f"tool_{number}") for number in range(3 * BATCH)]
    said: list[str] = []
    encoder = Concepts()
    cut_short = Meaning(encoder, lambda: many, len(many), cache=VectorCache(tmp_path / "c.db"), notify=said.append)
    real = encoder.encode

    def once(texts: Sequence[str]) -> Vectors:
        cut_short.stop()
        return real(texts)

    encoder.encode = once  # type: ignore[method-assign]
    cut_short.prepare()
    assert encoder.batches == [BATCH] and said == [f"encoding {3 * BATCH} tools for the search; this is done once"]
    assert cut_short.near(["rain"]) is None
    later = Concepts()
    Meaning(later, lambda: many, len(many), cache=VectorCache(tmp_path / "c.db")).prepare()
    assert later.batches == [BATCH, BATCH]


class Hostile(Concepts):
    """Gives what it was made with, whatever it is asked."""

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer = answer

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (np.full((4, 3), np.nan, np.float32), "not all are numbers"),
        (np.ones((3, 3), np.float32), "3 for 4 texts"),
        (np.ones((4, 0), np.float32), "0 numbers each"),
        (np.ones(4, np.float32), "no rows of numbers"),
        (np.array([["a"]] * 4), "no rows of numbers"),
        (np.ones((4, 20_000), np.float32), "20000 numbers each"),
        ("nothing of the kind", "no rows of numbers"),
        (OSError("gone"), "OSError: gone"),
    ],
)
def test_whatever_an_encoder_does_tools_are_found_by_words(answer: object, said: str) -> None:
    told: list[str] = []
    index = ToolIndex(TOOLS, None, Meant(Hostile(answer), None, told.append))
    assert index.search("weather") == ToolIndex(TOOLS).search("weather")
    assert index.first_view("the weather") == ToolIndex(TOOLS).first_view("the weather")
    assert len(told) == 1 and told[0].startswith("tools are searched by words only: ") and said in told[0]


def test_an_encoder_that_failed_is_asked_again_after_a_while() -> None:
    now = [0.0]
    encoder = Hostile(OSError("down"))
    meaning = Meaning(encoder, lambda: TOOLS, len(TOOLS), clock=lambda: now[0])
    assert meaning.near(["rain"]) is None and meaning.near(["rain"]) is None
    assert len(encoder.asked) == 4  # once
    encoder.encode = Concepts().encode  # type: ignore[method-assign]
    now[0] = ASKED_AGAIN_SECONDS
    near = meaning.near(["rain"])
    assert near is not None and near.argmax() == 0


def test_vectors_of_another_length_under_the_same_name_are_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "c.db"
    ToolIndex(TOOLS, None, Meant(Concepts(), file)).search("rain")

    class Longer(Concepts):
        def encode(self, texts: Sequence[str]) -> Vectors:
            return unit(np.hstack([super().encode(texts), np.zeros((len(texts), 2), np.float32)]))

    told: list[str] = []
    encoder = Longer()
    index = ToolIndex(TOOLS, None, Meant(encoder, file, told.append))
    assert index.search("rain")[0].tool.name == "get_forecast" and not told
    again = Longer()
    ToolIndex(TOOLS, None, Meant(again, file)).search("rain")
    assert again.asked == ["rain"]


def test_a_cache_that_cannot_be_used_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "c.db").write_text("no database " * 100)
    for file in (tmp_path / "c.db", tmp_path / "nowhere" / "c.db"):
        encoder = Concepts()
        assert ToolIndex(TOOLS, None, Meant(encoder, file)).search("rain")[0].tool.name == "get_forecast"


def test_hostile_texts_are_encoded_and_kept(tmp_path: Path) -> None:
    odd = [tool("x", "y", "\ud800 \x00 " + "z" * 1_000_000)]
    encoder = Concepts()
    assert ToolIndex(odd, None, Meant(encoder, tmp_path / "c.db")).search("anything")
    assert len(encoder.asked[0]) < 400


def test_nothing_is_found_for_nothing() -> None:
    index = ToolIndex(TOOLS, None, Meant(Concepts()))
    assert index.search("") == [] and index.search("rain", 0) == []
    assert ToolIndex([], None, Meant(Concepts())).search("rain") == []


def test_a_registry_prepares_its_search_and_asks_only_about_a_tool_that_changed(tmp_path: Path) -> None:
    config = ServerConfig("sky", command="/nowhere/to/be/started")
    file = tmp_path / "catalogue.db"

    def listed(*descriptions: str) -> None:
        tools = (ListedTool(f"t{place}", text, {"type": "object"}) for place, text in enumerate(descriptions))
        Catalogue(file).put(config.fingerprint, "sky", Listing(tuple(tools)), "auto")

    async def asked() -> list[str]:
        encoder = Concepts()
        async with Registry([config], catalogue=Catalogue(file), encoder=encoder) as registry:
            await registry.prepare_search()
            prepared = list(encoder.asked)
            assert registry.search("rain")[0].tool.name == "t0"
        return prepared

    listed("The weather.", "Something else.")
    assert len(asyncio.run(asked())) == 2
    assert asyncio.run(asked()) == []
    listed("The weather.", "Something new.")
    assert asyncio.run(asked()) == ["sky: t1. Something new."]


def test_who_gives_up_waiting_for_the_vectors_ends_their_making(tmp_path: Path) -> None:
    many = [tool("s", f"tool_{number}") for number in range(3 * BATCH)]
    started = threading.Event()
    go_on = threading.Event()

    class Slow(Concepts):
        def encode(self, texts: Sequence[str]) -> Vectors:
            started.set()
            assert go_on.wait(PATIENCE_SECONDS)
            return super().encode(texts)

    encoder = Slow()
    told: list[str] = []
    meaning = Meaning(encoder, lambda: many, len(many), notify=told.append)

    async def main() -> None:
        waiting = asyncio.create_task(meaning.prepared())
        assert await asyncio.to_thread(started.wait, PATIENCE_SECONDS)
        waiting.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())
    assert encoder.batches == [BATCH] and len(told) == 1
