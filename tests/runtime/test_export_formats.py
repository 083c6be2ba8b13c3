"""Exports that other tools read: ATIF trajectories and a Parquet table of turns."""

from __future__ import annotations

import asyncio
import io
import json
import stat
from pathlib import Path

import duckdb
import pytest

from atlas.cli import invoke
from atlas.runtime import Runtime
from atlas.runtime.episodes import EpisodeStore, export_episodes, export_table, export_trajectories
from atlas.runtime.episodes.redact import MARK
from atlas.runtime.errors import StoreError

from .policies.servers import Request, serving, text_chunk

SECRET = "ghp_" + "a1B2" * 9
STEP_FIELDS = {
    "user": {"step_id", "source", "timestamp", "message"},
    "agent": {
        "step_id", "source", "timestamp", "message", "reasoning_content", "llm_call_count", "tool_calls", "observation",
        "metrics", "extra",
    },
}  # fmt: skip
STEP_FIELDS["system"] = STEP_FIELDS["user"]


@pytest.fixture
def logged(runs, atlas_home) -> EpisodeStore:
    """A log with two episodes: one with a call that fails and a second turn, one that holds a secret."""
    runs(["print(files.read('missing.md'))", "answer(text.count('notes.md'))"], "count words")
    runs([f"secret = '{SECRET}'\nanswer(1)"], "tell it")
    with EpisodeStore(Path(atlas_home) / "episodes.db") as store:
        yield store


def trajectories(store: EpisodeStore, **options: object) -> list[dict]:
    out = io.StringIO()
    export_episodes(store, out, format="atif", **options)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_trajectory_keeps_to_the_rules_of_atif(logged):
    for one in trajectories(logged):
        assert one["schema_version"] == "ATIF-v1.8"
        assert set(one) <= {"schema_version", "session_id", "trajectory_id", "agent", "steps", "final_metrics", "extra"}
        assert [step["step_id"] for step in one["steps"]] == list(range(1, len(one["steps"]) + 1))
        for step in one["steps"]:
            assert set(step) <= STEP_FIELDS[step["source"]]
            known = {call["tool_call_id"] for call in step.get("tool_calls", [])}
            results = step.get("observation", {"results": []})["results"]
            assert {result["source_call_id"] for result in results if "source_call_id" in result} <= known


def test_a_trajectory_tells_what_happened_with_the_very_tokens(logged):
    one = trajectories(logged)[0]
    system, user, first, second = one["steps"]
    assert (system["source"], user["source"]) == ("system", "user")
    assert "count words" in user["message"]
    assert first["tool_calls"] == [
        {"tool_call_id": "call-1", "function_name": "files.read", "arguments": {"path": "missing.md"}}
    ]
    assert first["observation"]["results"][0]["extra"] == {"ok": False, "error_kind": "not_found"}
    assert second["observation"]["results"][0]["content"] == "4"
    turns = logged.get(one["session_id"]).turns
    for step, turn in zip((first, second), turns, strict=True):
        assert step["metrics"]["completion_token_ids"] == turn.reply_ids
        assert len(step["metrics"]["prompt_token_ids"]) == turn.prompt_tokens
    assert one["extra"]["answer"] == 4


def test_redacted_trajectories_hold_neither_secret_nor_its_tokens(logged):
    one = trajectories(logged, redact=True)[1]
    assert SECRET not in json.dumps(one) and MARK in json.dumps(one)
    assert all("completion_token_ids" not in step.get("metrics", {}) for step in one["steps"])


def test_redaction_takes_the_prompt_ids_that_an_endpoint_returned(workspace, atlas_home, tmp_path):
    def answer(request: Request) -> None:
        if request.path != "/v1/chat/completions":
            request.answer({"data": []})
            return
        ids = list("".join(message["content"] for message in request.body["messages"]).encode())  # a token is a byte
        request.stream([{"prompt_token_ids": ids, **text_chunk("answer(1)", "stop", token_ids=[1, 2])}])

    async def go(model: str) -> None:
        async with Runtime(model, workspace=workspace) as runtime:
            await runtime.run(f"log in with {SECRET}")

    with serving(answer) as address:
        asyncio.run(go(f"{address}/v1#small"))
    table = tmp_path / "turns.parquet"
    with EpisodeStore(Path(atlas_home) / "episodes.db") as store:
        assert SECRET.encode() in bytes(store.get("latest").turns[0].sampler["prompt_ids"])
        out = io.StringIO()
        for form in ("jsonl", "messages", "atif"):
            export_episodes(store, out, format=form, redact=True)
        export_table(store, table, redact=True)
    exported = out.getvalue() + str(duckdb.sql(f"SELECT * FROM '{table}'").fetchall())
    assert MARK in exported and "temperature" in exported
    assert str(list(SECRET.encode())) not in exported and '"prompt_ids": [' not in exported


def test_each_episode_gets_a_file_of_its_own_in_a_folder(logged, tmp_path):
    assert export_trajectories(logged, tmp_path / "out") == 2
    files = sorted((tmp_path / "out").glob("*.json"))
    assert [file.stem for file in files] == sorted(logged.ids())
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    assert json.loads(files[0].read_text())["schema_version"] == "ATIF-v1.8"


def test_the_table_has_a_row_for_each_turn(logged, tmp_path):
    path = tmp_path / "turns.parquet"
    assert export_table(logged, path) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    rows = duckdb.sql(
        f"SELECT task, turn, reply_ids, prompt_ids, calls, program_status FROM '{path}' ORDER BY episode, turn"
    )
    found = rows.fetchall()
    turns = logged.get(logged.ids()[0]).turns
    assert [row[:2] for row in found] == [("count words", turns[0].turn), ("count words", turns[1].turn), ("tell it", 1)]
    assert [row[2] for row in found[:2]] == [turn.reply_ids for turn in turns]
    assert json.loads(found[0][4])[0]["tool"] == "files.read"


def test_a_table_that_cannot_be_written_is_told_and_leaves_nothing(logged, tmp_path):
    with pytest.raises(StoreError, match="cannot be written"):
        export_table(logged, tmp_path / "no folder" / "turns.parquet")
    assert list(tmp_path.glob("*.parquet")) == []


def test_the_command_writes_every_format(logged, tmp_path, capsys):
    for form, name in (("atif", "one.jsonl"), ("parquet", "turns.parquet"), ("messages", "chat.jsonl")):
        assert invoke(["episodes", "export", "--format", form, "--out", str(tmp_path / name), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["exported"] == 2
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert invoke(["episodes", "export", "--format", "atif", "--out", str(tmp_path), "--json"]) == 0
    assert len(list(tmp_path.glob("*.json"))) == 2
    assert invoke(["episodes", "export", "--format", "parquet", "--out", "-"]) == 2
