"""Servers outside this process: only those that a program calls are started, and broken ones are told."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from atlas.runtime.events import Notice

SERVER = Path(__file__).parent / "killed" / "server.py"


def entry(script: Path, ledger: Path) -> dict:
    return {"command": sys.executable, "args": [str(script), str(ledger)]}


@pytest.fixture
def mcp(tmp_path):
    """Two servers that keep ledgers, and one that cannot start."""
    entries = {name: entry(SERVER, tmp_path / f"{name}.txt") for name in ("first", "second")}
    entries["broken"] = {"command": str(tmp_path / "no-such-program")}
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": entries}))
    return path


def test_a_run_starts_only_the_server_that_it_calls(runs, mcp):
    replies = ["answer([second.add(3), second.add(4)])"]
    runs(["answer(1)"], mcp=mcp)  # the first time, the tools of all servers are listed
    episode, record = runs.recorded(replies, mcp=mcp)
    assert episode.answer == [9, 16]
    assert episode.servers_started == ("second",) == record.episode.servers_started
    assert "first (2), second (2)" in record.turns[0].prompt_text and "broken" not in record.turns[0].prompt_text


def test_a_server_that_cannot_start_is_told_and_the_others_work(runs, mcp):
    async def go():
        async with runs.runtime(["answer(first.add(5))"], mcp=mcp) as runtime:
            events = [event async for event in runtime.stream("a task")]
            return events, runtime.store.get("latest").episode

    events, row = asyncio.run(go())
    assert row.answer == 25
    assert any("broken" in event.text for event in events if isinstance(event, Notice))


def test_a_hint_of_a_server_counts_only_when_the_user_trusts_it(runs, mcp):
    replies = ["try:\n    first.look(1)\nexcept ToolError as error:\n    answer(error.kind)\nelse:\n    answer('looked')"]
    assert runs(replies, mcp=mcp, approve="never").answer == "denied"


def test_a_server_that_dies_in_a_call_fails_that_call(runs, tmp_path):
    script = tmp_path / "dies.py"
    script.write_text(SERVER.read_text().replace("        time.sleep(0.01)\n", "        os._exit(3)\n"))
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {"dies": entry(script, tmp_path / "ledger")}}))
    replies = ["try:\n    dies.add(1)\nexcept ToolError as error:\n    answer(['told', error.kind])"]
    episode, record = runs.recorded(replies, mcp=path)
    assert episode.answer == ["told", "server"]
    assert episode.unreachable == ("dies",) and record.calls[0].ok is False
