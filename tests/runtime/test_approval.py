"""Who may change something, and how a refusal reaches the program."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import sys
from pathlib import Path

import pytest

from atlas.runtime.approval import Approval, question, visible
from atlas.runtime.events import ApprovalAsked, ApprovalGiven

SERVER = Path(__file__).parent / "killed" / "server.py"
CHANGE = ["""
try:
    files.delete('notes.md')
except ToolError as error:
    answer([error.kind, error.message])
else:
    answer('gone')
"""]


def test_reading_needs_no_approval(runs):
    assert runs(["answer(files.list())"], approve="never").answer == ["notes.md", "todo.txt"]


def test_never_refuses_with_kind_denied(runs, workspace):
    episode, record = runs.recorded(CHANGE, approve="never")
    assert episode.answer[0] == "denied"
    assert (workspace / "notes.md").exists()
    assert (record.calls[0].decision, record.calls[0].decided_by, record.calls[0].sent_at) == ("refused", "never", None)


def test_asking_without_a_terminal_refuses(runs, workspace, monkeypatch):
    with open(os.devnull) as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        episode = runs(CHANGE, approve="ask")
    assert episode.answer[0] == "denied" and "no terminal" in episode.answer[1]
    assert (workspace / "notes.md").exists()


def test_a_program_that_fails_for_want_of_a_terminal_ends_the_run_with_the_mend(runs, workspace, monkeypatch):
    with open(os.devnull) as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        episode = runs(["files.delete('notes.md')\nanswer('done')", "answer('not asked for')"], approve="ask")
    assert (episode.status, episode.answer, episode.turns) == ("gave_up", None, 1)
    assert "--approve auto" in episode.notes[-1] and (workspace / "notes.md").exists()


def test_a_function_decides_and_always_holds_for_the_run(runs):
    asked = []

    def decide(request):
        asked.append((request.tool, request.server, request.arguments))
        return "always"

    episode, record = runs.recorded(
        ["files.write('a', '1')\nfiles.write('b', '2')\nfiles.delete('a')\nanswer(files.list())"], approve=decide
    )
    assert episode.answer == ["b", "notes.md", "todo.txt"]
    assert asked == [("files.write", "files", {"path": "a", "content": "1"}), ("files.delete", "files", {"path": "a"})]
    assert [call.decided_by for call in record.calls] == ["function", "function", "function", "read_only"]


def test_a_tool_that_is_no_longer_read_only_is_asked_about(runs, tmp_path):
    """The list that is known from the last run says less than the server does when it is reached."""
    script, ledger, mcp, asked = tmp_path / "server.py", tmp_path / "ledger.txt", tmp_path / "mcp.json", []
    hinted = SERVER.read_text().replace('"inputSchema"', '"annotations": {"readOnlyHint": True}, "inputSchema"')
    server = {"command": sys.executable, "args": [str(script), str(ledger)], "trustHints": True}
    mcp.write_text(json.dumps({"mcpServers": {"ledger": server}}))
    script.write_text(hinted)
    runs(["answer(1)"], mcp=mcp)
    script.write_text(SERVER.read_text())

    def decide(request):
        asked.append((request.tool, ledger.exists()))
        return True

    first = "try:\n    ledger.add(3)\nexcept ToolError as error:\n    print(error.kind, 'read-only' in str(error))"
    episode, record = runs.recorded([first, "answer(ledger.add(3))"], mcp=mcp, approve=decide)
    assert episode.answer == 9 and asked == [("ledger.add", False)]
    assert [(call.decided_by, call.error_kind) for call in record.calls] == [("read_only", "changed"), ("function", None)]
    assert len(ledger.read_text().splitlines()) == 1


def test_an_asynchronous_function_may_refuse(runs):
    async def decide(request):
        await asyncio.sleep(0)
        return request.arguments["path"] != "notes.md"

    assert runs(CHANGE, approve=decide).answer[0] == "denied"


def test_waiting_for_a_decision_does_not_count_as_the_programs_time(runs, monkeypatch):
    from atlas.sandbox import Limits
    from atlas.sandbox.program import Program

    checked_while_asked = []

    async def slow(request):
        asked, check = asyncio.Event(), Program.check_time

        def late(program, cpu_clock, paused):
            checked_while_asked.append(paused)
            asked.set()
            deadline, program.deadline = program.deadline, program.started  # as if its time had been up for long
            try:
                return check(program, cpu_clock, paused)
            finally:
                program.deadline = deadline

        with monkeypatch.context() as patched:
            patched.setattr(Program, "check_time", late)
            await asked.wait()
        return True

    episode = runs(["files.write('a', '1')\nanswer('written')"], approve=slow, limits=Limits(cpu_seconds=0.5))
    assert episode.answer == "written" and checked_while_asked == [True]


@pytest.mark.parametrize(("typed", "gone"), [(b"y\n", True), (b"what\nno\n", False), (b"a\n", True), (b"\x04", False)])
def test_the_person_at_the_terminal_decides(runs, workspace, monkeypatch, capsys, typed, gone):
    master, slave = pty.openpty()
    terminal = os.fdopen(slave, "r")
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setattr("atlas.runtime.approval.has_terminal", lambda: True)
    os.write(master, typed)

    async def go():
        async with runs.runtime(CHANGE, approve="ask") as runtime:
            return [event async for event in runtime.stream("a task")]

    try:
        events = asyncio.run(go())
    finally:
        terminal.close()
        os.close(master)
    assert (workspace / "notes.md").exists() is not gone
    about = [type(event) for event in events if isinstance(event, ApprovalAsked | ApprovalGiven)]
    assert about == [ApprovalAsked, ApprovalGiven]
    assert "files.delete of server 'files'" in capsys.readouterr().err


def test_what_is_shown_cannot_drive_the_terminal():
    from atlas.runtime.approval import ApprovalRequest

    request = ApprovalRequest("files.write", "fi\x1b[2Jles", {"path": "a\u202eb", "content": "x\n\x1b]0;y\x07"}, "")
    shown = question(request)
    assert shown.isascii() and "\x1b" not in shown and "\\x1b" in shown and "\\u202e" in shown
    assert visible("a\tb") == "a\\tb"


def test_a_decision_is_bound_to_the_schema(runs):
    from atlas.tools_registry.tool import Tool

    async def go():
        approval = Approval(lambda request: "always")
        first = Tool("s", "t", "", {"properties": {"a": {}}})
        assert (await approval.ask(first, {})).allowed
        assert approval.rule(first) is not None
        assert approval.rule(Tool("s", "t", "", {"properties": {"b": {}}})) is None

    asyncio.run(go())
