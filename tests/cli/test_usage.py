"""Wrong usage and configuration: exit code 2, a place and a mend, and one JSON object where that was asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from atlas.cli import invoke
from atlas.commands.report import describe, safe


def failure(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 2) -> dict[str, str]:
    """The error object of a command line, run in this process."""
    assert invoke([*arguments, "--json"]) == code
    out, _ = capsys.readouterr()
    assert out.count("\n") == 1
    error = json.loads(out)["error"]
    assert set(error) == {"type", "message", "where", "mend"}
    assert error["message"] and error["where"] and error["mend"]
    return error


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_unknown_verb_names_the_nearest_one(capsys: pytest.CaptureFixture[str]):
    assert "run" in failure(capsys, "rum")["message"]


def test_a_task_without_its_verb_is_told_how_to_ask(capsys: pytest.CaptureFixture[str]):
    assert "atlas run" in failure(capsys, "count the words")["mend"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("run", "task", "--resume", "01"),
        ("run", "task", "--budget", "many"),
        ("run", "task", "--loading", "lazy"),
        ("run", "task", "--approve", "maybe"),
        ("exec", "missing.py"),
        ("exec", "missing.py", "--timeout", "-1"),
        ("tools", "search"),
        ("tools", "search", "x", "--toolspace", "missing.jsonl"),
        ("tools", "show", "no.such_tool"),
        ("episodes", "rm"),
        ("episodes", "show", "ZZZ"),
        ("episodes", "rate", "ZZZ", "perhaps"),
        ("trust",),
        ("eval", "toolbox", "--split", "train"),
    ],
)
def test_wrong_usage_is_one_object_and_exit_code_2(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]):
    failure(capsys, *arguments)


def test_a_workspace_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]):
    assert "nowhere" in failure(capsys, "tools", "list", "--workspace", "nowhere")["where"]


def test_a_malformed_toolspace_names_the_line(capsys: pytest.CaptureFixture[str], folder: Path):
    (folder / "t.jsonl").write_text('{"server": "a", "tools": []}\nnot json\n', encoding="utf-8")
    assert "line 2" in failure(capsys, "tools", "list", "--toolspace", "t.jsonl")["where"]


def test_a_broken_gzip_is_no_traceback(capsys: pytest.CaptureFixture[str], folder: Path):
    (folder / "t.jsonl.gz").write_bytes(b"\x1f\x8b broken")
    failure(capsys, "tools", "list", "--toolspace", "t.jsonl.gz")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{not json", "mcp.json"),
        ('{"mcpServers": {"a": {"args": []}}}', "server a"),
        ('{"mcpServers": {"a": {"command": "${ATLAS_TEST_UNSET}"}}}', "command"),
        ('{"mcpServers": []}', "mcp.json"),
    ],
)
def test_a_malformed_server_file_names_file_and_field(
    text: str, part: str, capsys: pytest.CaptureFixture[str], folder: Path
):
    (folder / "mcp.json").write_text(text, encoding="utf-8")
    error = failure(capsys, "tools", "list", "--mcp", "mcp.json")
    assert "mcp.json" in error["where"] and part in error["where"]


def test_a_missing_server_file_is_named(capsys: pytest.CaptureFixture[str]):
    assert "missing.json" in failure(capsys, "tools", "list", "--mcp", "missing.json")["where"]


@pytest.mark.parametrize(("given", "words"), [("folder", "Is a directory"), ("missing.jsonl", "No such file")])
def test_a_path_that_cannot_be_imported_is_named_and_not_the_log(
    given: str, words: str, folder: Path, atlas_home: str, capsys: pytest.CaptureFixture[str]
):
    (folder / "folder").mkdir()
    error = failure(capsys, "episodes", "import", given)
    assert error["where"] == given and words in error["message"] and "episodes export" in error["mend"]


def test_an_error_for_a_person_has_place_and_mend_on_stderr_and_no_traceback(capsys: pytest.CaptureFixture[str]):
    assert invoke(["tools", "list", "--mcp", "missing.json"]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert "missing.json" in err and "mend:" in err and "Traceback" not in err


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]):
    assert invoke(["tools", "list", "--mcp", "missing.json", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_fault_of_ours_says_so():
    failure = describe(ZeroDivisionError("division by zero"))
    assert failure.exit_code == 1 and "--debug" in failure.mend


def test_untrusted_text_cannot_drive_the_terminal():
    shown = safe("a\x1b[2Jb\x9b31mc\u202ed\r\x07\ud800\tok\n")
    assert shown == "a\\x1b[2Jb\\x9b31mc\\u202ed\\r\\x07\\ud800\tok\n"
