"""The text server."""

from __future__ import annotations

import threading
import time

import pytest

from atlas.tools_registry.toolbox import ToolboxError, changes, jobs, text, toolbox_functions
from atlas.tools_registry.toolbox.workspace import Workspace


@pytest.mark.parametrize(
    ("content", "lines", "words", "chars"),
    [
        ("", 0, 0, 0),
        ("one", 1, 1, 3),
        ("one\n", 1, 1, 4),
        ("one two\n\nthree", 3, 3, 14),
        ("\n", 1, 0, 1),
        ("naïve  café\r\nx\r\n", 2, 3, 16),
    ],
)
def test_count(tools, workspace, content, lines, words, chars):
    (workspace / "t.txt").write_bytes(content.encode())
    counted = [tools["text.count"]("t.txt", what) for what in ("lines", "words", "chars")]
    assert counted == [lines, words, chars]
    assert tools["text.count"]("t.txt") == words


def test_count_knows_only_its_three_measures(fails):
    assert (
        str(fails("text.count", "notes.md", "bytes"))
        == "what must be one of 'lines', 'words', 'chars', not str 'bytes' [invalid]"
    )


def test_search_gives_line_numbers(tools):
    assert tools["text.search"]("notes.md", "a|A") == [{"line": 3, "text": "call Ada"}]
    assert tools["text.search"]("notes.md", "BUY") == []
    assert tools["text.search"]("notes.md", "^BUY", ignore_case=True) == [{"line": 2, "text": "buy milk"}]
    assert tools["text.search"]("notes.md", "") == [
        {"line": 1, "text": "# Notes"},
        {"line": 2, "text": "buy milk"},
        {"line": 3, "text": "call Ada"},
    ]


def test_search_of_windows_lines_leaves_the_carriage_return_out(tools, workspace):
    (workspace / "dos.txt").write_bytes(b"one\r\ntwo\r\n")
    assert tools["text.search"]("dos.txt", "o$") == [{"line": 2, "text": "two"}]


def test_extract_gives_matches_or_the_first_group(tools):
    assert tools["text.extract"]("docs/plan.md", r"\S+@\S+") == ["ada@example.com", "bob@example.org"]
    assert tools["text.extract"]("docs/plan.md", r"(\w+)@(\w+)") == ["ada", "bob"]
    assert tools["text.extract"]("docs/plan.md", r"^- (?:and|write to) (.*)$") == ["ada@example.com", "bob@example.org"]
    assert tools["text.extract"]("docs/plan.md", "x(y)?") == ["", ""]


def test_replace_counts_and_changes_all(tools, fails, workspace):
    assert tools["text.replace"]("docs/plan.md", "example", "test") == 2
    assert "ada@test.com" in (workspace / "docs/plan.md").read_text()
    assert tools["text.replace"]("docs/plan.md", "a.c", "x") == 0
    assert str(fails("text.replace", "notes.md", "", "x")) == "the text to replace is empty [invalid]"
    assert fails("text.replace", "gone.md", "a", "b").kind == "not_found"


def test_changes_at_once_take_turns_also_those_of_another_run_on_the_same_workspace(tools, workspace, monkeypatch):
    """The second one is started in the middle of the first, and given time to read what the first is about to change."""
    other, write, read, read_too_early = toolbox_functions(workspace), text.write_text, Workspace.read_text, []
    second = threading.Thread(target=lambda: other["text.replace"]("notes.md", "Ada", "Bob"))
    second_reads = threading.Event()

    def reads(*arguments):
        if threading.current_thread() is second:
            second_reads.set()
        return read(*arguments)

    def in_the_middle(*arguments):
        if threading.current_thread() is not second:
            second.start()
            read_too_early.append(second_reads.wait(0.2))
        return write(*arguments)

    monkeypatch.setattr(text, "write_text", in_the_middle)
    monkeypatch.setattr(Workspace, "read_text", reads)
    assert tools["text.replace"]("notes.md", "milk", "bread") == 1
    second.join()
    assert read_too_early == [False]
    assert (workspace / "notes.md").read_text() == "# Notes\nbuy bread\ncall Bob\n"


def test_of_two_copies_to_one_place_the_second_is_told(tools, workspace, monkeypatch):
    """The check that nothing is there and the writing belong together."""
    write, failed = changes.write_bytes, []

    def copy_the_other():
        try:
            tools["files.copy"]("sales.csv", "new")
        except ToolboxError as problem:
            failed.append(problem.kind)

    second = threading.Thread(target=copy_the_other)

    def in_the_middle(*arguments):
        if threading.current_thread() is not second:
            second.start()
            second.join(0.2)
        return write(*arguments)

    monkeypatch.setattr(changes, "write_bytes", in_the_middle)
    tools["files.copy"]("notes.md", "new")
    second.join()
    assert failed == ["exists"] and (workspace / "new").read_text().startswith("# Notes")


@pytest.mark.parametrize("pattern", ["(", "[z-a]", "a{99999999999999999999}", "(?P<x>a)(?P<x>b)", "*"])
def test_a_broken_pattern_is_named(fails, pattern):
    for tool in ("text.search", "text.extract"):
        error = fails(tool, "notes.md", pattern)
        assert error.kind == "invalid" and error.message.startswith("not a valid regex"), error


def test_a_pattern_that_a_later_python_may_read_otherwise_is_no_warning(workspace):
    tools = toolbox_functions(workspace, isolated=False)
    assert tools["text.search"]("notes.md", "[[#]") == [{"line": 1, "text": "# Notes"}]


def test_a_catastrophic_pattern_is_ended_in_time_and_the_next_call_works(tools, fails, workspace, monkeypatch):
    assert jobs._PATTERN_SECONDS == 2.0
    (workspace / "a.txt").write_text("a" * 60 + "!")
    monkeypatch.setattr(jobs, "_PATTERN_SECONDS", 0.5)
    for tool in ("text.search", "text.extract"):
        started = time.monotonic()
        assert str(fails(tool, "a.txt", "(a+)+$")) == "the pattern took longer than 0.5 s [timeout]"
        assert time.monotonic() - started < 8  # the first call may have had to start the child
    monkeypatch.setattr(jobs, "_PATTERN_SECONDS", 20.0)
    assert tools["text.search"]("notes.md", "milk") == [{"line": 2, "text": "buy milk"}]


def test_matches_that_are_too_many_are_refused(fails, workspace):
    (workspace / "long.txt").write_text("x" * 3_000_000)
    assert str(fails("text.extract", "long.txt", ".")) == (
        "the matches are larger than 4 MB; use a narrower pattern [invalid]"
    )


def test_a_hundred_thousand_lines(tools, workspace):
    (workspace / "log.txt").write_text("".join(f"line {number} of the log\n" for number in range(100_000)))
    assert tools["text.count"]("log.txt", "lines") == 100_000
    assert tools["text.search"]("log.txt", r"\b99999\b") == [{"line": 100_000, "text": "line 99999 of the log"}]
    assert len(tools["text.extract"]("log.txt", r"line (\d+)")) == 100_000
    assert tools["text.replace"]("log.txt", "log", "book") == 100_000


def test_trusted_worlds_may_run_patterns_in_process(workspace):
    tools = toolbox_functions(workspace, isolated=False)
    assert tools["text.extract"]("docs/plan.md", r"(\w+)@") == ["ada", "bob"]
    assert tools["units.convert"](1, "km", "m") == 1000.0
