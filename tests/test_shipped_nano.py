"""The model in the box does real tasks on the sample workspace, and its runs are logged token for token."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest

from atlas import Episode, Runtime

SAMPLE = Path(__file__).parent.parent / "examples" / "workspace"


def run(task: str, workspace: Path, home: Path) -> Episode:
    async def once() -> Episode:
        async with Runtime(workspace=workspace, approve="auto", home=home) as runtime:
            return await runtime.run(task)

    return asyncio.run(once())


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SAMPLE, tmp_path / "workspace"))


def test_nano_counts_the_words_of_a_file(workspace: Path, tmp_path: Path) -> None:
    episode = run("How many words are in notes.md?", workspace, tmp_path)
    assert (episode.status, episode.answer) == ("answered", len((workspace / "notes.md").read_text().split()))
    assert 0 < episode.context.peak <= 2048 and episode.context.counting == "exact"


def test_nano_replaces_text_with_quotes_dollars_and_backticks(workspace: Path, tmp_path: Path) -> None:
    before = (workspace / "prices.txt").read_text()
    assert "$5" in before
    episode = run('Replace "$5" by "`$6`" in prices.txt', workspace, tmp_path)
    assert episode.status == "answered"
    assert (workspace / "prices.txt").read_text() == before.replace("$5", "`$6`")


def test_a_run_of_nano_is_logged_with_ids_and_log_probabilities(workspace: Path, tmp_path: Path) -> None:
    episode = run("How many words are in notes.md?", workspace, tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "episodes.db")) as database:
        rows = database.execute(
            "SELECT prompt_ids, reply_ids, logprobs, logprobs_at_temperature, generated_tokens FROM turns WHERE episode = ?",
            (episode.id,),
        ).fetchall()
    assert len(rows) == episode.turns
    assert all(all(row) for row in rows)
