"""The log: private, migrated, shared by processes, clear about what is wrong with it; export, redaction and merging."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import io
import json
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from atlas.cli import invoke
from atlas.runtime.episodes import EpisodeStore, export_episodes, export_table, import_episodes
from atlas.runtime.episodes.export import document_of
from atlas.runtime.episodes.ids import new_id
from atlas.runtime.episodes.journal import Journal
from atlas.runtime.episodes.migrations import VERSION, migrate
from atlas.runtime.episodes.redact import MARK, Redaction
from atlas.runtime.errors import EpisodeError, StoreError
from atlas.runtime.policies.base import PolicyIdentity

from ..waiting import PATIENCE_SECONDS, side_by_side

SECRET = "ghp_" + "a1B2" * 9


@pytest.fixture
def logged(runs, atlas_home) -> EpisodeStore:
    """A log with three episodes."""
    runs(["answer(text.count('notes.md'))"], "count words")
    runs(["print(files.list())", "answer('Cannot: no tool does this.')"], "fly to the moon")
    runs([f"secret = '{SECRET}'\nprint('x')", "print(secret)", "answer(1)"], "tell it")
    with EpisodeStore(Path(atlas_home) / "episodes.db") as store:
        yield store


def test_files_are_the_owners_alone(logged, atlas_home):
    for path in Path(atlas_home).glob("episodes.db*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert logged.connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_ids_sort_by_time():
    ids = [new_id() for _ in range(500)]  # many in the same millisecond
    assert ids == sorted(set(ids)) and all(len(one) == 26 for one in ids)


def test_ids_sort_although_the_clock_is_set_back(monkeypatch):
    now = time.time()
    monkeypatch.setattr("atlas.runtime.episodes.ids.time", SimpleNamespace(time=lambda: now))
    first = new_id()
    now -= 3600
    assert first < new_id() < new_id()


def test_episodes_are_found_by_id_prefix_and_latest(logged):
    rows = logged.list()
    assert [row.task for row in rows] == ["tell it", "fly to the moon", "count words"]
    assert logged.find("latest") == rows[0] == logged.find(rows[0].id.lower()) == logged.find(rows[0].id[:24])
    assert logged.get(rows[2].id).as_episode().answer == 4
    assert logged.get(rows[1].id).as_episode().status == "gave_up"
    with pytest.raises(EpisodeError, match="more than one"):
        logged.find(rows[0].id[:2])
    for key in ("", "nonsense", "%"):
        with pytest.raises(EpisodeError):
            logged.find(key)


def test_rating_and_removing(logged):
    first = logged.list()[-1].id
    rated = logged.rate(first, "failed")
    assert (rated.outcome, rated.reward) == ("rated", 0.0)
    assert logged.remove(first) == first
    assert logged.connection.execute("SELECT count(*) FROM calls WHERE episode = ?", (first,)).fetchone()[0] == 0
    assert logged.remove_older(1) == 0
    assert logged.remove_older(0) == 2


def test_nothing_is_kept_with_no_log(runs, atlas_home):
    runs(["answer(1)"], log=False)
    assert not (Path(atlas_home) / "episodes.db").exists()


def test_an_export_merges_into_another_log_unchanged(logged, tmp_path):
    path = tmp_path / "log.jsonl"
    with path.open("w") as out:
        assert export_episodes(logged, out) == 3
    with EpisodeStore(tmp_path / "other.db") as other:
        assert import_episodes(other, path) == 3
        assert import_episodes(other, path) == 0
        for identifier in logged.ids():
            assert document_of(other, identifier) == document_of(logged, identifier)
            assert other.get(identifier) == logged.get(identifier)


def test_an_imported_episode_names_no_servers_to_start(logged, tmp_path):
    document = document_of(logged, logged.ids()[0])
    document["episode"]["settings"]["mcp"] = ["/somewhere/mcp.json"]
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(document) + "\n")
    with EpisodeStore(tmp_path / "other.db") as other:
        assert import_episodes(other, path) == 1
        settings = other.get("latest").episode.settings
        assert "mcp" not in settings and settings["workspace"] == document["episode"]["settings"]["workspace"]


@pytest.mark.parametrize("line", [
    "{", "[]", '{"format": "atlas-episode-1"}', '{"format": "x"}',
    '{"format": "atlas-episode-1", "episode": {"id": 1}, "turns": [], "calls": []}',
    '{"format": "atlas-episode-1", "episode": {"id": "A", "task": {}}, "turns": [], "calls": []}',
])  # fmt: skip
def test_a_damaged_export_is_named_with_its_line_and_changes_nothing(logged, tmp_path, line):
    path = tmp_path / "log.jsonl"
    with path.open("w") as out:
        export_episodes(logged, out)
    path.write_text(path.read_text() + line + "\n")
    with EpisodeStore(tmp_path / "other.db") as other:
        with pytest.raises(EpisodeError) as caught:
            import_episodes(other, path)
        assert caught.value.where.endswith("line 4")
        assert other.ids() == []


@pytest.mark.parametrize("form", ["jsonl", "messages", "atif", "parquet"])
def test_half_a_character_in_a_result_is_exported_in_every_format(runs, atlas_home, tmp_path, form):
    def half() -> str:
        """Half a character."""
        return "a\ud83d"

    runs(["x = app.half()\nprint(x)\nprint('a\\ud83d')", "answer(x)"], "task", tools=[half])
    path = tmp_path / "log"
    assert invoke(["episodes", "export", "--format", form, "--out", str(path)]) == 0
    if form == "jsonl":
        with EpisodeStore(tmp_path / "other.db") as other, EpisodeStore(Path(atlas_home) / "episodes.db") as log:
            assert import_episodes(other, path) == 1
            assert other.get("latest") == log.get("latest")
    assert invoke(["episodes", "export", "--format", "atif", "--out", str(tmp_path)]) == 0


def test_an_export_that_fails_leaves_the_file_that_was_there(logged, tmp_path):
    path, link = tmp_path / "log.jsonl", tmp_path / "link.jsonl"
    path.write_text("before")
    link.symlink_to(path)
    logged.connection.execute("UPDATE episodes SET settings = '{'")
    assert invoke(["episodes", "export", "--out", str(link)]) != 0
    assert path.read_text() == "before" and sorted(tmp_path.glob("*log*")) == [path]
    logged.connection.execute("UPDATE episodes SET settings = '{}'")
    assert invoke(["episodes", "export", "--out", str(link)]) == 0
    assert len(path.read_text().splitlines()) == 3 and link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_export_names_the_place_that_cannot_be_written(logged, tmp_path, capsys):
    for path in (tmp_path / "no folder" / "log.jsonl", tmp_path):
        assert invoke(["episodes", "export", "--out", str(path)]) == 2
        assert str(path) in capsys.readouterr().err


def test_a_file_that_is_no_text_is_no_export(logged, tmp_path):
    plain, packed, table = tmp_path / "log.jsonl", tmp_path / "log.jsonl.gz", tmp_path / "turns.parquet"
    with plain.open("w") as out:
        export_episodes(logged, out)
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    export_table(logged, table)
    for path in (packed, table):
        with pytest.raises(EpisodeError, match="not an exported episode") as caught:
            import_episodes(logged, path)
        assert str(path) in caught.value.where


def test_messages_hold_one_conversation_per_training_row(logged):
    out = io.StringIO()
    assert export_episodes(logged, out, format="messages") == 3
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [message["role"] for message in lines[1]["messages"]] == ["system", "user", "assistant", "tool", "assistant"]


def test_redaction_blots_out_secrets_and_takes_the_ids_of_touched_turns(logged):
    out = io.StringIO()
    export_episodes(logged, out, redact=True)
    assert SECRET not in out.getvalue() and MARK in out.getvalue()
    turns = json.loads(out.getvalue().splitlines()[2])["turns"]
    assert all(turn["reply_ids"] is None and turn["logprobs"] is None for turn in turns)
    untouched = json.loads(out.getvalue().splitlines()[0])["turns"]
    assert untouched[0]["reply_ids"] is not None


@pytest.mark.parametrize("text", [
    "export OPENAI_API_KEY=sk-proj-abcdefghijklmnopqrstuv",
    "Authorization: Bearer abcdef.ghijkl-mnopqr",
    "postgres://ann:hunter22@db/x",
    'password: "correct horse"',
    "AKIAIOSFODNN7EXAMPLE",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----",
    "token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
])  # fmt: skip
def test_secrets_are_known_by_their_form(text):
    shown = Redaction({}).text(text)
    for piece in ("sk-proj", "ghijkl", "hunter22", "correct", "AKIA", "MIIE", "dozjg"):
        assert piece not in shown


def test_secrets_are_known_as_values_of_the_environment():
    redaction = Redaction({"MY_TOKEN": "plain-old-value", "HOME": "/home/ann"})
    assert redaction.text("it was plain-old-value in /home/ann") == f"it was {MARK} in /home/ann"
    assert redaction.value({"password": "abcd", "n": 3})["password"] == MARK


def test_a_log_of_a_newer_atlas_is_not_touched(tmp_path):
    path = tmp_path / "episodes.db"
    EpisodeStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    with pytest.raises(StoreError, match="version"):
        EpisodeStore(path)


@pytest.mark.parametrize("content", [b"this is no database at all, only text " * 40, b"SQLite format 3\0" + b"\xff" * 3000])
def test_a_damaged_log_is_named(tmp_path, content):
    path = tmp_path / "episodes.db"
    path.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        EpisodeStore(path)
    assert caught.value.where == str(path) and "--no-log" in caught.value.mend


def test_a_folder_in_the_place_of_the_log_is_named(tmp_path):
    (tmp_path / "episodes.db").mkdir()
    with pytest.raises(StoreError):
        EpisodeStore(tmp_path / "episodes.db")


def test_a_full_disk_stops_the_run_before_the_call_is_sent(runs, workspace):
    async def fill(text: str) -> str:
        """Makes the log unable to grow."""
        runtime.store.connection.execute("PRAGMA max_page_count = 1")
        return text

    async def go():
        nonlocal runtime
        async with runs.runtime(
            ["app.fill('x')\nfor n in range(100):\n    files.write(f'{n}.txt', 'y' * 4000)"], tools=[fill]
        ) as runtime:
            with pytest.raises(StoreError) as caught:
                await runtime.run("a task")
        return caught.value

    runtime = None
    problem = asyncio.run(go())
    assert "full" in problem.message and "--no-log" in problem.mend
    assert len(list(workspace.glob("*.txt"))) < 100


def test_a_disk_that_is_full_from_the_start_is_named():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA max_page_count = 2")
    with pytest.raises(sqlite3.OperationalError, match="full"):  # not what follows from it
        migrate(connection)
    connection.close()


def test_processes_write_at_once(tmp_path):
    script = (
        "import sys; from pathlib import Path; from atlas.runtime.episodes import EpisodeStore\n"
        "from atlas.runtime.episodes.journal import Journal, Place\nfrom atlas.runtime.policies.base import PolicyIdentity\n"
        "with EpisodeStore(Path(sys.argv[1])) as store:\n"
        "    for n in range(20):\n"
        "        journal = Journal.begin(store, 't', PolicyIdentity('m'), {}, counting='exact', atlas='0')\n"
        "        journal.call_settled(Place(1, 1, 0), 'a.b', {}, ok=True, value=n)\n"
        "        journal.finish('answered', n, seconds=0, error=None, notes=[])\n"
    )
    path = tmp_path / "episodes.db"
    with side_by_side([[sys.executable, "-c", script, str(path)]] * 3) as workers:
        for worker in workers:
            assert worker.communicate(timeout=PATIENCE_SECONDS) == ("", "") and worker.returncode == 0
    with EpisodeStore(path) as store:
        assert len(store.ids()) == 60
        assert not store.is_running(store.list()[0])


def test_episodes_can_be_removed_from_a_full_disk(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", small], capture_output=True).returncode:
        pytest.skip("no small file system can be mounted here")
    try:
        with EpisodeStore(small / "episodes.db") as store:
            for _ in range(20):
                Journal.begin(store, "t" * 10_000, PolicyIdentity("none"), {}, counting="exact", atlas="0")
            store.connection.execute("UPDATE episodes SET status = 'answered'")
            store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            with open(small / "filler", "wb", buffering=0) as filler, contextlib.suppress(OSError):
                while True:
                    filler.write(b"x" * 1_024)
            with pytest.raises(StoreError, match="full"):
                Journal.begin(store, "t" * 100_000, PolicyIdentity("none"), {}, counting="exact", atlas="0")
            for identifier in store.ids()[:15]:
                store.remove(identifier)
            assert len(store.ids()) == 5 and shutil.disk_usage(small).free > 0
            assert store.connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    finally:
        subprocess.run(["umount", small], check=True)
