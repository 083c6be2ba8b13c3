"""A toolspace on disk: the answers of one in memory, read lazily, kept in step with changes, shared by processes."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from atlas.tools_registry import Tool, ToolIndex
from atlas.tools_registry.search import StoredIndex
from atlas.tools_registry.stored import KEPT_SPACES, ReadPart, open_space, store_space

from ..waiting import PATIENCE_SECONDS, side_by_side

SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "description": "Where it is."}}}


def part(server: str, *names: str, note: str = "") -> ReadPart:
    tools = [Tool(server, name, f"{name} of {server}{note}", SCHEMA, None, server, name) for name in names]
    return ReadPart(f"{server} {names} {note}", tools, f"{server} knows all about {server}")


PARTS = [
    part("weather", "get_forecast", "get_alerts"),
    part("mail", "send_message", "list_messages"),
    part("crm", "find_clients", "add_client"),
]


def test_a_stored_toolspace_answers_as_one_in_memory(tmp_path: Path) -> None:
    store_space(tmp_path / "c.db", "k", PARTS)
    space = open_space(tmp_path / "c.db", "k")
    assert space is not None
    tools = [tool for one in PARTS for tool in one.tools]
    memory = ToolIndex(tools, {one.tools[0].server: one.instructions for one in PARTS})
    stored = StoredIndex(space)
    for text in ("send a message", "forecast", "clents", "mail the forecast to all clients, then list alerts", "zebra"):
        assert [hit.tool for hit in stored.search(text)] == [hit.tool for hit in memory.search(text)], text
        assert stored.first_view(text) == memory.first_view(text), text
    assert list(space) == [tool.full_name for tool in tools] and len(space) == 6
    assert space["crm.add_client"] == tools[5] and "crm.nothing" not in space
    assert (tmp_path / "c.db").stat().st_mode & 0o777 == 0o600
    space.close()


def test_only_a_server_that_changed_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "c.db"
    assert len(store_space(file, "one", PARTS)) == 3
    changed = [PARTS[0], part("mail", "send_message", note=" and more"), PARTS[2]]
    assert store_space(file, "two", changed) == [changed[1].digest]
    assert store_space(file, "two", changed) == []
    old, new = open_space(file, "one"), open_space(file, "two")
    assert old is not None and new is not None
    assert (len(old), len(new)) == (6, 5)
    assert "and more" in new["mail.send_message"].description
    old.close(), new.close()


def test_a_space_in_use_stays_whole_while_others_are_added_and_dropped(tmp_path: Path) -> None:
    file = tmp_path / "c.db"
    store_space(file, "first", PARTS)
    first = open_space(file, "first")
    assert first is not None
    for number in range(KEPT_SPACES + 2):
        store_space(file, f"other {number}", [PARTS[number % 3]])
    assert open_space(file, "first") is None
    assert StoredIndex(first).search("forecast")[0].tool.full_name == "weather.get_forecast"
    first.close()


def test_what_is_not_there_or_no_catalogue_is_not_opened(tmp_path: Path) -> None:
    assert open_space(tmp_path / "none.db", "k") is None
    (tmp_path / "text.db").write_text("no database " * 100)
    assert open_space(tmp_path / "text.db", "k") is None
    store_space(tmp_path / "c.db", "k", [])
    empty = open_space(tmp_path / "c.db", "k")
    assert empty is not None and StoredIndex(empty).search("x") == [] == StoredIndex(empty).first_view("x")
    empty.close()


def test_hostile_names_and_words_are_stored(tmp_path: Path) -> None:
    odd = [replace(tool, description="\ud800 \x00 zero\x00byte") for tool in PARTS[0].tools]
    store_space(tmp_path / "c.db", "k", [ReadPart("odd", odd, "\udfff")])
    space = open_space(tmp_path / "c.db", "k")
    assert space is not None
    assert StoredIndex(space).search("byte")[0].tool.server == "weather"
    space.close()


PROCESS = """
import sys
from pathlib import Path
from atlas.tools_registry.search import StoredIndex
from atlas.tools_registry.stored import open_space, store_space
from atlas.tools_registry import Tool
from atlas.tools_registry.stored import ReadPart
file, own = Path(sys.argv[1]), sys.argv[2]
for turn in range(4):
    tools = [Tool(f"s{turn}", f"find_{name}", name, {}, None, f"s{turn}", name) for name in ("boats", "trains", own)]
    store_space(file, f"shared {turn}", [ReadPart(f"{turn}", tools[:2])])
    store_space(file, f"{own} {turn}", [ReadPart(f"{own} {turn}", tools)])
    space = open_space(file, f"{own} {turn}")
    assert space is None or StoredIndex(space).search(own)[0].tool.tool_name == own
print("done")
"""


def test_several_processes_share_one_catalogue(tmp_path: Path) -> None:
    names = ("planes", "rockets", "bicycles")
    with side_by_side([sys.executable, "-c", PROCESS, str(tmp_path / "c.db"), own] for own in names) as running:
        for one in running:
            out, error = one.communicate(timeout=PATIENCE_SECONDS)
            assert out == "done\n", error


@pytest.fixture
def listings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ATLAS_HOME", str(tmp_path / "home"))
    rows = [
        {"server": one.tools[0].server, "instructions": "Ask me.", "tools": [
            {"name": tool.name, "description": tool.description, "inputSchema": SCHEMA} for tool in one.tools]}
        for one in PARTS
    ]  # fmt: skip
    path = tmp_path / "space.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def test_a_listings_file_is_kept_in_the_catalogue_and_read_anew_when_it_changes(
    listings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from atlas.cli import invoke

    def ask(*words: str) -> list[dict[str, object]]:
        assert invoke(["tools", "search", *words, "--toolspace", str(listings), "--json"]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    first = ask("find clients", "-k", "1")
    assert first == ask("find clients", "-k", "1") and first[0]["tool"] == "crm.find_clients"
    listings.write_text(listings.read_text().replace("find_clients", "look_for_clients"), encoding="utf-8")
    assert ask("clients", "-k", "2")[0]["tool"] in ("crm.look_for_clients", "crm.add_client")
    shown = ask("Get the forecast for Oslo, then send it to all clients.", "--task", "-k", "3")
    assert {row["server"] for row in shown} == {"weather", "mail", "crm"}
