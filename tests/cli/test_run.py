"""`atlas run` and `atlas exec` from the outside: what is printed where, and what they end with."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from atlas.cli import invoke
from atlas.commands.checks import log
from atlas.commands.resuming import resume_command
from atlas.commands.trusting import record
from atlas.runtime.episodes.store import open_store
from atlas.runtime.home import atlas_home as atlas_home_folder

from ..waiting import ended, until

BOUND = 300.0
"""Seconds after which a command counts as hanging; on a busy machine a start alone can take a minute."""
RUN_KEYS = ["episode", "status", "answer", "turns", "programs", "tool_calls", "servers_started", "context", "seconds"]
RUN_KEYS += ["model", "adapter"]


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "notes.md").write_text("one two three\nfour\n", encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder


def script(workspace: Path, *replies: str) -> str:
    """A model whose replies are these."""
    path = workspace.parent / "replies.json"
    path.write_text(json.dumps(replies), encoding="utf-8")
    return f"scripted:{path}"


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    code = invoke([*arguments, "--json"])
    out, err = capsys.readouterr()
    assert out.count("\n") == 1 and "Traceback" not in err
    return code, json.loads(out)


def test_a_run_prints_its_answer_and_nothing_else_on_stdout(workspace: Path, capsys: pytest.CaptureFixture[str]):
    model = script(workspace, 'print("looking")\nx = text.count(path="notes.md")', "answer(x)")
    assert invoke(["run", "How many words are in notes.md?", "--model", model]) == 0
    out, err = capsys.readouterr()
    assert out == "4\n"
    assert "text.count" in err and "looking" in err and "answered" in err


def test_quiet_means_quiet(workspace: Path, capsys: pytest.CaptureFixture[str]):
    assert invoke(["run", "task", "--quiet", "--model", script(workspace, "answer([1, 2])")]) == 0
    assert capsys.readouterr() == ("[1, 2]\n", "")


def test_json_has_the_promised_shape(workspace: Path, capsys: pytest.CaptureFixture[str]):
    model = script(workspace, 'answer(text.count(path="notes.md"))')
    code, result = run_json(capsys, "run", "How many words are in notes.md?", "--model", model, "--seed", "3")
    assert code == 0
    assert list(result) == RUN_KEYS
    assert list(result["context"]) == ["peak", "total_prompt", "generated", "budget"]
    assert (result["status"], result["answer"], result["turns"], result["tool_calls"]) == ("answered", 4, 1, 1)
    assert result["servers_started"] == [] and 0 < result["context"]["peak"] <= result["context"]["budget"]


def test_a_task_that_does_not_fit_is_exit_code_1_and_says_why(workspace: Path, capsys: pytest.CaptureFixture[str]):
    assert invoke(["run", "word " * 20_000, "--json", "--model", script(workspace, "answer(1)")]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["status"] == "budget" and "raise --budget" in err


def test_giving_up_is_exit_code_1(workspace: Path, capsys: pytest.CaptureFixture[str]):
    code, result = run_json(capsys, "run", "task", "--model", script(workspace, 'answer("Cannot: no tool does this.")'))
    assert (code, result["status"]) == (1, "gave_up")


def test_a_failed_check_is_exit_code_1(workspace: Path, capsys: pytest.CaptureFixture[str]):
    model = script(workspace, "answer(1)")
    assert run_json(capsys, "run", "task", "--model", model, "--check", "test -f made.txt")[0] == 1
    assert run_json(capsys, "run", "task", "--model", model, "--check", "test -f notes.md")[0] == 0


def test_without_a_terminal_nothing_is_changed(workspace: Path, capsys: pytest.CaptureFixture[str]):
    program = 'try:\n    files.delete(path="notes.md")\nexcept ToolError as e:\n    answer(e.kind)'
    code, result = run_json(capsys, "run", "task", "--model", script(workspace, program))
    assert (code, result["answer"]) == (0, "denied") and (workspace / "notes.md").exists()


def test_at_a_terminal_a_change_is_asked_for(workspace: Path):
    model = script(workspace, 'files.write(path="out.txt", content="x")\nanswer("done")')
    terminal, inner = pty.openpty()
    command = [sys.executable, "-m", "atlas.cli", "run", "task", "--model", model]
    with ended(subprocess.Popen(command, stdin=inner, stderr=inner, stdout=subprocess.PIPE, text=True)) as process:
        os.close(inner)
        shown = b""
        while b"allow?" not in shown:
            assert select.select([terminal], [], [], BOUND)[0], shown
            shown += os.read(terminal, 4096)
        assert not (workspace / "out.txt").exists()
        assert b"files.write" in shown and b"'out.txt'" in shown
        os.write(terminal, b"y\n")
        reader = threading.Thread(target=_drain, args=(terminal,))
        reader.start()
        out, _ = process.communicate(timeout=BOUND)
    reader.join()
    os.close(terminal)
    assert (process.returncode, out) == (0, "done\n") and (workspace / "out.txt").exists()


def _drain(terminal: int) -> None:
    """Read what a terminal shows until the last program on it has ended."""
    with contextlib.suppress(OSError):
        while os.read(terminal, 4096):
            pass


def test_no_log_keeps_no_episode(workspace: Path, capsys: pytest.CaptureFixture[str], atlas_home: str):
    run_json(capsys, "run", "task", "--no-log", "--model", script(workspace, "answer(1)"))
    assert not (Path(atlas_home) / "episodes.db").exists()


def test_episodes_can_be_looked_at_rated_moved_and_removed(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    _, result = run_json(capsys, "run", "task", "--model", script(workspace, 'answer(files.read(path="notes.md"))'))
    assert invoke(["episodes", "list"]) == 0 and result["episode"] in capsys.readouterr().out
    assert run_json(capsys, "episodes", "rate", "latest", "failed")[1]["reward"] == 0.0
    assert invoke(["episodes", "show", result["episode"][:8]]) == 0
    assert "files.read" in capsys.readouterr().out
    assert run_json(capsys, "episodes", "export", "--out", "e.jsonl")[1]["exported"] == 1
    assert Path("e.jsonl").stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("ATLAS_HOME", str(workspace.parent / "other"))
    assert run_json(capsys, "episodes", "import", "e.jsonl")[1]["imported"] == 1
    assert run_json(capsys, "episodes", "rm", result["episode"])[1] == {"removed": 1}


def interrupted(workspace: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[str, str]:
    """The id and the model of an episode whose process died in turn 2."""
    second = 'files.append("out.txt", ", two")\nanswer(files.read("out.txt"))'
    model = script(workspace, 'files.write("out.txt", "one")', second)
    _, result = run_json(capsys, "run", "task", "--approve", "auto", "--model", model, *options)
    with open_store(atlas_home_folder()) as store:
        store.connection.execute("DELETE FROM turns WHERE turn = 2")
        store.connection.execute("DELETE FROM calls WHERE turn = 2")
        store.connection.execute("UPDATE episodes SET status = NULL, answer = NULL, owner = 'elsewhere 1 1'")
    (workspace / "out.txt").write_text("one", encoding="utf-8")
    return result["episode"], model


def test_an_episode_is_resumed_in_its_own_workspace_from_any_folder(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    episode, _ = interrupted(workspace, capsys)
    elsewhere = workspace.parent / "else where"
    elsewhere.mkdir()
    (elsewhere / "out.txt").write_text("mine", encoding="utf-8")
    monkeypatch.chdir(elsewhere)
    command = shlex.split(resume_command(atlas_home_folder(), episode))
    assert invoke([*command[1:], "--workspace", ".", "--approve", "auto"]) == 2
    assert f"--workspace {workspace}" in capsys.readouterr().err
    assert invoke([*command[1:], "--approve", "auto"]) == 0
    out, err = capsys.readouterr()
    assert out == "one, two\n" and f"going on in {workspace}" in err
    assert (elsewhere / "out.txt").read_text() == "mine"


@pytest.mark.parametrize("change", ["", "trusted and changed", "removed"])
def test_an_episode_is_resumed_with_the_servers_that_it_had(
    change: str, workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    servers = workspace / "servers.json"
    servers.write_text('{"mcpServers": {"ghost": {"command": "no-such-program-here"}}}', encoding="utf-8")
    episode, model = interrupted(workspace, capsys, "--mcp", "servers.json")
    if change == "trusted and changed":
        record(atlas_home_folder(), [servers])
        servers.write_text('{"mcpServers": {"ghost": {"command": "another-program"}}}', encoding="utf-8")
    elif change == "removed":
        servers.unlink()
    monkeypatch.chdir(workspace.parent)
    assert invoke(["run", "--resume", episode, "--model", model, "--approve", "auto"]) == 0
    err = capsys.readouterr().err
    assert ("server ghost has no tools" in err) == (change == "")
    assert (f"{servers}: not used" in err) == (change != "")


@pytest.mark.parametrize(
    ("content", "kind"), [(b"not a model", "BadModelFile"), (b"GGUF\x03\x00", "BadModelFile"), (None, "ModelNotFound")]
)
def test_a_model_that_is_none_is_named(
    content: bytes | None, kind: str, workspace: Path, capsys: pytest.CaptureFixture[str]
):
    path = workspace / "broken.gguf"
    if content is not None:
        path.write_bytes(content)
    code, result = run_json(capsys, "run", "task", "--model", str(path))
    assert code == 2
    assert result["error"]["type"] == kind and "broken.gguf" in result["error"]["where"] and result["error"]["mend"]


def test_an_endpoint_that_is_down_is_exit_code_3(workspace: Path, capsys: pytest.CaptureFixture[str]):
    code, result = run_json(capsys, "run", "task", "--model", "http://127.0.0.1:9/v1#none")
    assert code == 3 and "127.0.0.1:9" in result["error"]["where"]


def test_a_server_that_does_not_start_is_told_and_the_run_goes_on(workspace: Path, capsys: pytest.CaptureFixture[str]):
    Path("servers.json").write_text('{"mcpServers": {"ghost": {"command": "no-such-program-here"}}}', encoding="utf-8")
    model = script(workspace, "answer(1)")
    assert run_json(capsys, "run", "task", "--mcp", "servers.json", "--model", model)[0] == 0
    assert invoke(["tools", "refresh", "--mcp", "servers.json"]) == 3
    assert "ghost" in capsys.readouterr().err


def test_exec_says_what_it_waits_for_on_stderr(workspace: Path, capsys: pytest.CaptureFixture[str]):
    Path("servers.json").write_text('{"mcpServers": {"ghost": {"command": "no-such-program-here"}}}', encoding="utf-8")
    Path("p.py").write_text("answer(1)", encoding="utf-8")
    assert invoke(["exec", "p.py", "--mcp", "servers.json"]) == 0
    out, err = capsys.readouterr()
    assert out == "1\n" and "atlas: listing the tools of ghost\n" in err


def test_exec_has_the_promised_shape(workspace: Path, capsys: pytest.CaptureFixture[str]):
    Path("p.py").write_text('print("hello")\nanswer(text.count(path="notes.md"))\n', encoding="utf-8")
    code, result = run_json(capsys, "exec", "p.py")
    assert code == 0
    assert list(result) == ["status", "value", "output", "error", "calls", "seconds", "peak_rss_mb"]
    assert (result["status"], result["value"], result["output"], result["error"]) == ("ok", 4, "hello\n", None)
    (call,) = result["calls"]
    assert list(call) == ["tool", "arguments", "ok", "seconds"]
    assert (call["tool"], call["arguments"], call["ok"]) == ("text.count", {"path": "notes.md"}, True)


@pytest.mark.parametrize(
    ("program", "status", "kind"),
    [
        ("x = 1\n1 / 0", "error", "ZeroDivisionError"),
        ("import os", "refused", None),
        ("def (", "refused", None),
        ("while True: pass", "limit", "wall_seconds"),
        ('for i in range(9):\n    text.count(path="notes.md")', "limit", "max_calls"),
    ],
)
def test_exec_ends_with_0_whatever_the_program_did(
    program: str, status: str, kind: str | None, capsys: pytest.CaptureFixture[str]
):
    Path("p.py").write_text(program, encoding="utf-8")
    code, result = run_json(capsys, "exec", "p.py", "--timeout", "2", "--max-calls", "3")
    assert (code, result["status"]) == (0, status)
    assert result["error"] and (kind is None or result["error"]["type"] == kind)


def test_exec_without_the_toolbox_knows_no_tool(capsys: pytest.CaptureFixture[str]):
    Path("p.py").write_text("files.list()", encoding="utf-8")
    assert run_json(capsys, "exec", "p.py", "--no-toolbox")[1]["status"] in ("error", "refused")


@pytest.mark.parametrize(
    ("number", "background"), [(signal.SIGINT, False), (signal.SIGTERM, False), (signal.SIGTERM, True)]
)
def test_an_interrupt_leaves_an_episode_and_no_process(number: signal.Signals, background: bool, workspace: Path):
    model = script(workspace, 'files.write(path="begun.txt", content="")\nwhile True:\n    pass')
    command = [sys.executable, "-m", "atlas.cli", "run", "task", "--approve", "auto", "--json", "--model", model]
    if background:  # what a shell does to `command &`: SIGINT is ignored
        command = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", *command]
    with ended(
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    ) as process:
        until(lambda: (workspace / "begun.txt").exists() or process.poll() is not None)
        process.send_signal(number)
        out, err = process.communicate(timeout=BOUND)
    assert process.returncode == 130, err
    result = json.loads(out)
    assert result["status"] == "interrupted" and result["tool_calls"] == 1 and "Traceback" not in err
    with pytest.raises(ProcessLookupError):  # nobody is left in its process group
        os.killpg(process.pid, 0)


def test_an_interrupt_before_the_run_begins_is_told_and_leaves_no_server(workspace: Path):
    server = "import os, pathlib, signal; pathlib.Path('pid').write_text(f'{os.getpid()}.'); signal.pause()"
    servers = {"mcpServers": {"slow": {"command": sys.executable, "args": ["-c", server], "cwd": str(workspace)}}}
    Path("servers.json").write_text(json.dumps(servers), encoding="utf-8")
    model = script(workspace, "answer(1)")
    command = [sys.executable, "-m", "atlas.cli", "run", "task", "--json", "--mcp", "servers.json", "--model", model]
    with ended(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)) as process:
        pid = Path("pid")
        until(lambda: (pid.exists() and pid.read_text().endswith(".")) or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=BOUND)
    assert process.returncode == 130 and "Traceback" not in err
    assert json.loads(out)["error"]["type"] == "Interrupted"
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()[:-1]), 0)


SIGNALLED = """
import os, sys

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), {number:d})

sys.meta_path.insert(0, Finder)
from atlas.cli import main
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("module", ["typer", "atlas.runtime.runtime"])
def test_an_interrupt_while_the_command_is_being_loaded_is_told(workspace: Path, module: str, number: signal.Signals):
    Path("p.py").write_text("answer(1)", encoding="utf-8")
    program = SIGNALLED.format(module=module, number=number)
    command = [sys.executable, "-c", program, "exec", "p.py"]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=BOUND)
    assert done.returncode == 130 and "Traceback" not in done.stderr
    assert json.loads(done.stdout)["error"]["type"] == "Interrupted"
    done = subprocess.run(command, capture_output=True, text=True, timeout=BOUND)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "atlas: error: interrupted before it was done\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_the_program_is_awaited_from_stdin_is_told(workspace: Path, number: signal.Signals):
    Path("atlas.toml").write_text('model = "any"\n', encoding="utf-8")
    command = [sys.executable, "-m", "atlas.cli", "exec", "-", "--json"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with ended(subprocess.Popen(command, text=True, **pipes)) as process:
        assert process.stderr is not None and "not trusted" in process.stderr.readline()
        process.send_signal(number)
        assert process.wait(BOUND) == 130 and process.stdout is not None
        assert json.loads(process.stdout.read())["error"]["type"] == "Interrupted"


CAUGHT = """
from atlas import cli

def interrupted(arguments):
    try:
        exec("raise KeyboardInterrupt")  # as where a dataclass is made
    except KeyboardInterrupt:
        return 130

cli.invoke = interrupted
cli.main()
"""


def test_an_interrupt_that_was_caught_and_told_does_not_end_the_process_by_its_signal(workspace: Path):
    Path("caught.py").write_text(CAUGHT, encoding="utf-8")
    assert subprocess.run([sys.executable, "-m", "caught"], timeout=BOUND).returncode == 130


def test_a_result_that_cannot_be_printed_is_told_on_stderr(workspace: Path):
    model = script(workspace, "answer(1)")
    command = [sys.executable, "-m", "atlas.cli", "run", "task", "--quiet", "--json", "--model", model]
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=BOUND)
    assert done.returncode == 2 and "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    assert "standard output" in done.stderr and "No space left" in done.stderr and "mend:" in done.stderr


def test_an_answer_comes_out_although_nothing_can_be_told_on_stderr(workspace: Path):
    model = script(workspace, "answer(1)")
    command = [sys.executable, "-m", "atlas.cli", "run", "task", "--model", model]
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=full, text=True, timeout=BOUND)
    assert (done.returncode, done.stdout) == (0, "1\n")


def test_closed_streams_do_not_stop_the_work(workspace: Path):
    model = script(workspace, 'files.write(path="out.txt", content="x")\nanswer("done")')
    command = [sys.executable, "-m", "atlas.cli", "run", "task", "--approve", "auto", "--model", model]
    shell = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command]
    assert subprocess.run(shell, timeout=BOUND).returncode == 0 and (workspace / "out.txt").exists()


def test_a_state_folder_that_is_a_file_or_cannot_be_used_is_named(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ATLAS_HOME", str(workspace / "notes.md"))
    code, result = run_json(capsys, "run", "task", "--model", script(workspace, "answer(1)"))
    assert code == 2 and result["error"]["where"].endswith("notes.md") and "ATLAS_HOME" in result["error"]["mend"]


def test_a_damaged_log_stops_the_run_and_the_doctor_finds_it(
    workspace: Path, capsys: pytest.CaptureFixture[str], atlas_home: str
):
    Path(atlas_home).mkdir(exist_ok=True)
    (Path(atlas_home) / "episodes.db").write_text("garbage " * 100, encoding="utf-8")
    model = script(workspace, "answer(1)")
    code, result = run_json(capsys, "run", "task", "--model", model)
    assert code == 2 and "damaged" in result["error"]["message"] and "--no-log" in result["error"]["mend"]
    assert run_json(capsys, "run", "task", "--no-log", "--model", model)[0] == 0
    (finding,) = log(Path(atlas_home))
    assert finding.state == "wrong" and "damaged" in finding.detail


def test_a_catalogue_that_cannot_be_used_is_told_and_the_run_goes_on(
    workspace: Path, capsys: pytest.CaptureFixture[str], atlas_home: str
):
    (Path(atlas_home) / "catalogue.db").mkdir(parents=True)
    Path("servers.json").write_text('{"mcpServers": {"ghost": {"command": "no-such-program-here"}}}', encoding="utf-8")
    assert invoke(["run", "task", "--mcp", "servers.json", "--model", script(workspace, "answer(1)")]) == 0
    out, err = capsys.readouterr()
    assert out == "1\n" and "catalogue.db" in err and "listed anew" in err


def test_what_a_server_prints_cannot_drive_the_terminal(workspace: Path, capsys: pytest.CaptureFixture[str]):
    program = "import sys; sys.stderr.write('boom \x1b[31m\x1b]0;title\x07'); sys.exit(3)"
    servers = {"mcpServers": {"bad\x1b[2J": {"command": sys.executable, "args": ["-c", program]}}}
    Path("servers.json").write_text(json.dumps(servers), encoding="utf-8")
    assert invoke(["run", "task", "--mcp", "servers.json", "--model", script(workspace, "answer(1)")]) == 0
    err = capsys.readouterr().err
    assert "boom" in err and "\x1b" not in err and "\x07" not in err


def test_stdin_is_a_program_and_a_closed_pipe_is_no_traceback(workspace: Path):
    command = [sys.executable, "-m", "atlas.cli", "exec", "-", "--json"]
    with ended(
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write("answer(6 * 7)")
        process.stdin.close()
        process.stdout.close()  # the reader goes away
        err = process.stderr.read()
        assert process.wait(BOUND) == 1 and "Traceback" not in err and "BrokenPipe" not in err
