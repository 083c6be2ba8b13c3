"""What servers ask of a run: the person, the policy, the folder; and what comes back that no program can hold."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import sys
from pathlib import Path

import pytest

from atlas.runtime.asking import read_value
from atlas.runtime.events import CallProgress
from atlas.runtime.policies.scripted import ScriptedPolicy

WILD = Path(__file__).parents[1] / "tools_registry" / "servers" / "wild.py"


@pytest.fixture
def mcp(tmp_path):
    """A configuration with the wild server, and how it may be changed."""

    def make(**options):
        path = tmp_path / "mcp.json"
        path.write_text(json.dumps({"mcpServers": {"wild": {"command": sys.executable, "args": [str(WILD)], **options}}}))
        return path

    return make


@pytest.fixture
def typed(monkeypatch):
    """Lets a person at a terminal type these lines."""
    ends = []

    def make(*lines: str):
        master, slave = pty.openpty()
        terminal = os.fdopen(slave, "r")
        ends.extend((terminal.close, lambda: os.close(master)))
        monkeypatch.setattr("sys.stdin", terminal)
        monkeypatch.setattr("atlas.runtime.asking.has_terminal", lambda: True)
        os.write(master, "".join(f"{line}\n" for line in lines).encode())

    yield make
    for end in ends:
        end()


def test_a_question_is_declined_where_nobody_is_there(runs, mcp):
    assert runs(["answer(wild.ask_name())"], mcp=mcp()).answer == {"action": "decline"}


def test_the_person_at_the_terminal_answers_and_sees_who_asks(runs, mcp, typed, capsys):
    typed("y", "Ann", "minus one", "-1", "41")
    answer = runs(["answer(wild.ask_name())"], mcp=mcp()).answer
    assert answer == {"action": "accept", "content": {"name": "Ann", "age": 41}}
    shown = capsys.readouterr().err
    assert "server 'wild' asks: Who \\x1b[2Jare you?" in shown and "\x1b" not in shown


def test_the_person_may_decline(runs, mcp, typed):
    typed("n")
    assert runs(["answer(wild.ask_name())"], mcp=mcp()).answer == {"action": "decline"}


def test_nobody_is_asked_for_a_secret(runs, mcp, typed, capsys):
    typed("y", "hunter2")
    assert runs(["answer(wild.ask_secret())"], mcp=mcp()).answer == {"action": "decline"}
    assert "asked for something secret" in capsys.readouterr().err


def test_the_policy_is_lent_only_to_a_server_that_the_user_enabled(runs, mcp):
    program = "answer([wild.capabilities(), wild.sample()])"
    capabilities, sampled = runs([program], mcp=mcp()).answer
    assert "sampling" not in capabilities and sampled["code"] < 0

    def reply(conversation):
        said = "".join(part for part in map(str, vars(conversation).values()))
        return program if "servers:" in said else f"hi{'!' * 100}"

    capabilities, sampled = runs(ScriptedPolicy(reply), mcp=mcp(sampling=True)).answer
    assert "sampling" in capabilities
    assert sampled["content"]["text"].startswith("hi!") and len(sampled["content"]["text"]) <= 20
    assert sampled["stopReason"] == "maxTokens"


def test_a_lent_policy_sees_nothing_of_the_episode_and_has_a_budget(runs, mcp):
    seen = []

    def reply(conversation):
        text = bytes(token for token in conversation.prompt_ids() or [] if token < 256).decode()
        if "servers:" in text:
            return "results = [wild.sample() for _ in range(25)]\nanswer(results)"
        seen.append(text)
        return "hi"

    results = runs(ScriptedPolicy(reply), "the secret task", mcp=mcp(sampling=True)).answer
    assert len(seen) == 20 and all("secret task" not in text and "Say hi." in text for text in seen)
    assert [one.get("message") for one in results[20:]] == ["the sampling budget of this server is used up"] * 5


def test_a_local_server_is_told_the_workspace(runs, mcp, workspace):
    answer = runs(["answer(wild.roots())"], mcp=mcp()).answer
    assert answer["roots"] == [{"uri": workspace.as_uri(), "name": "workspace"}]


def test_a_remote_server_is_told_no_folder():
    from atlas.runtime.asking import Asking
    from atlas.runtime.hosting import callbacks_for
    from atlas.runtime.lending import Lending
    from atlas.tools_registry import ServerConfig

    def given(config):
        return set(callbacks_for(config, Asking(None), Lending(None), Path.cwd()))

    assert given(ServerConfig("far", "http", url="http://example.org/mcp")) == {"elicitation_callback"}
    assert given(ServerConfig("near")) == {"elicitation_callback", "list_roots_callback"}


def test_a_large_result_is_kept_beside_the_log_and_read_in_pieces(runs, mcp, atlas_home):
    program = "big = wild.lines()\nanswer([big['path'], big['shape'], read_result(big['path'], 5, 10)])"
    episode = runs([program], mcp=mcp())
    path, shape, piece = episode.answer
    assert shape == "text of 1000001 lines" and piece == "line\nline\n"
    file = Path(path)
    assert file.parent == Path(atlas_home) / "results" / episode.id and file.stat().st_mode & 0o777 == 0o600

    async def forget():
        async with runs.runtime(["answer(1)"]) as runtime:
            runtime.store.remove(episode.id)

    asyncio.run(forget())
    assert not file.exists()


def test_the_prompt_shows_head_and_shape_of_what_was_kept(runs, mcp):
    _, record = runs.recorded(["big = wild.lines()", "print(big)", "answer(1)"], mcp=mcp())
    assert "'shape': 'text of" in record.turns[1].prompt_text
    shown = record.turns[2].prompt_text
    assert "'shape': 'text of 1000001 lines'" in shown and "'head': 'line\\nline" in shown


@pytest.mark.parametrize("path", ["/etc/passwd", "{folder}/../../episodes.db", "nothing", 5])
def test_nothing_else_is_read_as_a_result(runs, mcp, path):
    given = f"big['path'].rsplit('/', 1)[0] + {path[8:]!r}" if isinstance(path, str) and path[0] == "{" else repr(path)
    program = f"big = wild.lines()\ntry:\n    read_result({given})\nexcept ToolError as error:\n    answer(error.kind)"
    assert runs([program], mcp=mcp()).answer in ("not_found", "invalid")


def test_without_a_log_results_are_kept_until_the_end_of_the_block(runs, mcp):
    async def go():
        async with runs.runtime(["answer(1)"], mcp=mcp(), log=False) as runtime:
            outcome = await runtime.execute("big = wild.lines()\nanswer([big['path'], len(read_result(big['path']))])")
            assert Path(outcome.value[0]).exists()
            return outcome.value

    path, length = asyncio.run(go())
    assert length == 100_000 and not Path(path).exists()


def test_progress_is_an_event(runs, mcp):
    async def go():
        async with runs.runtime(["answer(wild.steps())"], mcp=mcp()) as runtime:
            return [event async for event in runtime.stream("a task") if isinstance(event, CallProgress)]

    assert [(event.tool, event.progress, event.total, event.message) for event in asyncio.run(go())] == [
        ("wild.steps", 1, 2, "step 1"),
        ("wild.steps", 2, 2, "step 2"),
    ]


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("7", {"type": "integer"}, 7),
        ("yes", {"type": "boolean"}, True),
        ("a, b", {"type": "array", "items": {"enum": ["a", "b"]}}, ["a", "b"]),
        ("red", {"enum": ["red"]}, "red"),
        ("1.5", {"type": "number", "maximum": 2}, 1.5),
    ],
)
def test_a_line_is_read_as_the_field_wants_it(text, schema, value):
    assert read_value(text, schema) == value


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("seven", {"type": "integer"}),
        ("maybe", {"type": "boolean"}),
        ("c", {"type": "array", "items": {"enum": ["a"]}}),
        ("blue", {"oneOf": [{"const": "red"}]}),
        ("3", {"type": "number", "maximum": 2}),
        ("ab", {"type": "string", "minLength": 3}),
        ("abcd", {"type": "string", "maxLength": 3}),
    ],
)
def test_what_a_field_does_not_take_is_said(text, schema):
    with pytest.raises(ValueError, match="give"):
        read_value(text, schema)
