"""The text server."""

from __future__ import annotations

import time

import pytest

from atlas.tools_registry.toolbox import jobs, toolbox_functions


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
