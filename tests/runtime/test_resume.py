"""Going on with a run that died: recorded returns are used, nothing recorded is sent again, differences stop it."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path

import pytest

from atlas.runtime.errors import EpisodeError, ReplayMismatch, UnknownFate
from atlas.runtime.policies.scripted import ScriptedPolicy
from atlas.sandbox import Limits

SERVER = Path(__file__).parent / "killed" / "server.py"


class Died(BaseException):
    """Stands for the death of the process: nothing below the loop catches it."""


class World:
    """Tools that count how often they were called, and that can bring the run down."""

    def __init__(self):
        self.sent = []
        self.die_at = None

    def tools(self):
        def add(number: int) -> int:
            """Add a number to the list."""
            self.sent.append(number)
            if self.die_at == number:
                raise Died
            return len(self.sent)

        return [add]


REPLIES = [
    "import datetime\nstarted = datetime.datetime.now()\nfirst = [app.add(n) for n in range(3)]\nprint(first)",
    "second = [app.add(n) for n in range(3, 6)]\nprint(started == started, second)",
    "answer([first, second, started.year > 2000])",
]


def by_turn(replies):
    return ScriptedPolicy(lambda conversation: replies[sum(m["role"] == "assistant" for m in conversation.messages)])


async def broken_run(runs, world, replies, die, **options):
    """Run until the journal writes what `die` picks, then kill the run as a crash would."""
    async with runs.runtime(by_turn(replies), tools=world.tools(), **options) as runtime:
        journal_write = None
        from atlas.runtime.episodes.journal import Journal

        journal_write = Journal._write

        def write(self, statement, values):
            if die(statement, values):
                raise Died
            journal_write(self, statement, values)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Journal, "_write", write)
            with pytest.raises(Died):
                await runtime.run("a task")
        runtime.store.connection.execute("UPDATE episodes SET status = NULL, owner = 'elsewhere 1 1'")


class Slow:
    """A runtime whose model takes as long to load as the test says."""

    def __init__(self, runs, world, home):
        self.runtime = runs.runtime(by_turn(REPLIES), tools=world.tools(), home=home)
        self.checked, self.loaded = asyncio.Event(), asyncio.Event()
        self.resume = self.runtime.resume
        self.runtime.policy = self.policy

    async def policy(self):
        self.checked.set()
        await self.loaded.wait()
        return self.runtime._model

    async def __aenter__(self):
        await self.runtime.__aenter__()
        return self

    async def __aexit__(self, *raised):
        await self.runtime.__aexit__(*raised)


async def resumed(runs, world, replies, **options):
    async with runs.runtime(by_turn(replies), tools=world.tools()) as runtime:
        assert runtime.store.get("latest").as_episode().status == "interrupted"
        episode = await runtime.resume(**options)
        return episode, runtime.store.get(episode.id)


def writes(number, word):
    """Picks the `number`th statement that begins with `word`."""
    seen = []

    def die(statement, values):
        if statement.startswith(word):
            seen.append(1)
        return len(seen) == number and statement.startswith(word)

    return die


@pytest.mark.parametrize(
    "die",
    [writes(1, "INSERT INTO turns"), writes(1, "INSERT INTO calls"), writes(3, "INSERT INTO calls"),
     writes(1, "UPDATE turns"), writes(2, "INSERT INTO turns"), writes(5, "INSERT INTO calls"), writes(2, "UPDATE turns"),
     writes(3, "INSERT INTO turns"), writes(3, "UPDATE turns")],
)  # fmt: skip
def test_a_run_that_died_between_calls_goes_on_without_sending_any_again(runs, die):
    async def go():
        world = World()
        await broken_run(runs, world, REPLIES, die)
        before = list(world.sent)
        episode, record = await resumed(runs, world, REPLIES)
        return before, world, episode, record

    before, world, episode, record = asyncio.run(go())
    assert (episode.status, episode.answer) == ("answered", [[1, 2, 3], [4, 5, 6], True])
    assert world.sent == [0, 1, 2, 3, 4, 5]
    assert (episode.turns, episode.tool_calls, len(record.turns)) == (3, 6, 3)
    assert [call.number for call in record.calls] == [1, 2, 3, 4, 5, 6]
    assert len(before) <= 6


@pytest.mark.parametrize("fate", ["stop", "repeat", "report"])
def test_a_call_in_flight_is_asked_about(runs, fate):
    async def go():
        world = World()
        await broken_run(runs, world, REPLIES, writes(2, "UPDATE calls"))
        assert world.sent == [0, 1]
        if fate == "stop":
            with pytest.raises(UnknownFate) as caught:
                await resumed(runs, world, REPLIES, in_flight="stop")
            assert "app.add(number=1)" in caught.value.message
            fate_of_second_try = "repeat"  # it can still be resumed
        else:
            fate_of_second_try = fate
        asked = []

        def decide(call):
            asked.append((call.number, call.tool, call.arguments))
            return fate_of_second_try

        episode, record = await resumed(runs, world, [*REPLIES, "answer('told')"], in_flight=decide)
        assert asked == [(2, "app.add", {"number": 1})]
        return world, episode, record

    world, episode, record = asyncio.run(go())
    assert episode.status == "answered"
    if fate == "report":
        assert world.sent[:2] == [0, 1] and world.sent.count(1) == 1
        assert record.calls[1].error_kind == "unknown_fate"
        assert "unknown" in record.turns[1].prompt_text and "app.add(number=1)" in record.turns[1].prompt_text
    else:
        assert world.sent == [0, 1, 1, 2, 3, 4, 5]
        assert record.calls[1].attempts == 2


@pytest.mark.parametrize("fate", ["report", "repeat"])
def test_a_call_in_flight_of_a_tool_that_is_no_longer_idempotent_is_not_repeated_unasked(runs, tmp_path, fate):
    script, ledger, mcp, asked = tmp_path / "server.py", tmp_path / "ledger.txt", tmp_path / "mcp.json", []
    server = {"command": sys.executable, "args": [str(script), str(ledger)], "trustHints": True}
    mcp.write_text(json.dumps({"mcpServers": {"ledger": server}}))
    script.write_text(SERVER.read_text().replace('"inputSchema"', '"annotations": {"idempotentHint": True}, "inputSchema"'))
    replies = ["try:\n    answer(ledger.add(3))\nexcept ToolError as error:\n    answer(error.kind)"]

    def decide(call):
        asked.append(call.tool)
        return fate

    async def go():
        await broken_run(runs, World(), replies, writes(1, "UPDATE calls"), mcp=mcp)
        script.write_text(SERVER.read_text())
        async with runs.runtime(by_turn(replies), tools=World().tools(), mcp=mcp) as runtime:
            episode = await runtime.resume(in_flight=decide)
            return episode, runtime.store.get(episode.id)

    episode, record = asyncio.run(go())
    sent = len(ledger.read_text().splitlines())
    assert asked == ["ledger.add"]
    assert (episode.answer, sent) == (("unknown_fate", 1) if fate == "report" else (9, 2))
    assert len(record.calls) == 1


def test_a_call_that_may_be_repeated_is_repeated_unasked(runs, workspace):
    replies = ["print(files.list())\nanswer(files.read('notes.md'))"]

    async def go():
        await broken_run(runs, World(), replies, writes(2, "UPDATE calls"))
        return await resumed(runs, World(), replies, in_flight="stop")

    episode, record = asyncio.run(go())
    assert episode.answer == "one two three\nfour\n"
    assert sorted(call.attempts for call in record.calls) == [1, 2]  # both were under way, and either may return first


def test_a_program_that_calls_something_else_is_stopped_with_both_shown(runs):
    async def go():
        world = World()
        replies = ["import datetime\nx = app.add(1)\ny = app.add(2)\nanswer(y)"]
        await broken_run(runs, world, replies, writes(2, "INSERT INTO calls"))
        async with runs.runtime(by_turn(replies), tools=world.tools()) as runtime:
            runtime.store.connection.execute("UPDATE calls SET arguments = '{\"number\":7}'")
            with pytest.raises(ReplayMismatch) as caught:
                await runtime.resume()
            return world, caught.value, runtime.store.get("latest").episode

    world, problem, row = asyncio.run(go())
    assert "app.add(number=1)" in problem.message and "app.add(number=7)" in problem.message
    assert world.sent == [1] and row.status == "interrupted"


def test_an_episode_that_has_ended_or_runs_is_not_resumed(runs):
    runs(["answer(1)"])

    async def go():
        async with runs.runtime(["answer(1)"]) as runtime:
            with pytest.raises(EpisodeError, match="has ended"):
                await runtime.resume()
            from atlas.runtime.episodes.owner import this_process

            runtime.store.connection.execute("UPDATE episodes SET status = NULL, owner = ?", (this_process(),))
            with pytest.raises(EpisodeError, match="is running"):
                await runtime.resume()
            with pytest.raises(EpisodeError, match="no episode"):
                await runtime.resume("01ZZZ")

    asyncio.run(go())


def test_an_episode_goes_on_in_its_own_workspace_only(runs, workspace, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "out.txt").write_text("mine")
    replies = ["files.write('out.txt', 'one')", "files.append('out.txt', ', two')", "answer(files.read('out.txt'))"]

    async def go():
        await broken_run(runs, World(), replies, writes(2, "INSERT INTO turns"))
        async with runs.runtime(by_turn(replies), workspace=elsewhere) as runtime:
            before = runtime.store.get("latest")
            with pytest.raises(EpisodeError) as caught:
                await runtime.resume()
            assert runtime.store.get("latest") == before
        episode, _ = await resumed(runs, World(), replies)
        return caught.value, before.episode.id, episode

    problem, identifier, episode = asyncio.run(go())
    assert identifier in problem.where and problem.mend == f"resume it with --workspace {workspace}"
    assert (elsewhere / "out.txt").read_text() == "mine"
    assert episode.answer == "one, two"


def test_an_episode_whose_workspace_is_gone_is_not_resumed(runs, workspace):
    async def go():
        await broken_run(runs, World(), REPLIES, writes(2, "INSERT INTO turns"))
        async with runs.runtime(by_turn(REPLIES), workspace=workspace.parent) as runtime:
            shutil.rmtree(workspace)
            with pytest.raises(EpisodeError, match="is gone"):
                await runtime.resume()

    asyncio.run(go())


def test_a_fork_over_a_copy_is_resumed_over_that_copy(runs, workspace, tmp_path):
    copy = shutil.copytree(workspace, tmp_path / "copy")
    replies = ["files.append('b.txt', 'A')", "files.append('b.txt', 'B')", "answer(files.read('b.txt'))"]

    async def go():
        async with runs.runtime(by_turn(replies)) as runtime:
            first = await runtime.run("a task")
            forked = await runtime.fork(first.id, after_turn=1, workspace=copy)
            runtime.store.connection.execute("DELETE FROM turns WHERE episode = ? AND turn = 3", (forked.id,))
            runtime.store.connection.execute("UPDATE episodes SET status = 'interrupted' WHERE id = ?", (forked.id,))
            with pytest.raises(EpisodeError, match=f"works in {copy}"):
                await runtime.resume(forked.id)
        async with runs.runtime(by_turn(replies), workspace=copy) as runtime:
            return await runtime.resume(forked.id)

    assert asyncio.run(go()).answer == "AB"


def test_of_two_resumes_at_once_one_goes_on_and_the_other_is_told(runs, tmp_path):
    home = tmp_path / "home"
    home.mkdir()

    async def go():
        world = World()
        await broken_run(runs, world, REPLIES, writes(2, "INSERT INTO turns"), home=home)
        async with runs.runtime(by_turn(REPLIES), tools=world.tools(), home=home) as one, Slow(runs, world, home) as other:
            late = asyncio.create_task(other.resume())
            await other.checked.wait()
            first = await one.resume()
            row = one.store.get(first.id).episode
            other.loaded.set()
            with pytest.raises(EpisodeError, match="taken up by another"):
                await late
            return world, first, row, one.store.get(first.id).episode

    world, first, row, after = asyncio.run(go())
    assert first.status == "answered" and world.sent == [0, 1, 2, 3, 4, 5]
    assert row == after


def test_other_weights_do_not_go_on_with_an_episode(runs):
    async def go():
        await broken_run(runs, World(), REPLIES, writes(1, "UPDATE turns"))
        async with runs.runtime(["answer(1)"]) as runtime:
            with pytest.raises(EpisodeError, match="another version of scripted"):
                await runtime.resume()

    asyncio.run(go())


def test_tools_that_the_last_program_loaded_are_still_in_view_after_a_resume(runs):
    replies = ["load_tools('app')", "x = app.add(1)", "answer(x)"]

    async def go():
        world = World()
        await broken_run(runs, world, replies, writes(2, "INSERT INTO turns"), loading="servers")
        return await resumed(runs, world, replies)

    episode, record = asyncio.run(go())
    assert episode.answer == 1
    assert [turn.in_view for turn in record.turns] == [(), ("app.add",), ("app.add",)]


def test_overlapping_calls_are_replayed_in_the_order_in_which_they_came_back(runs):
    replies = ["order = []\n\n\nasync def one(n):\n    await app.wait(n)\n    order.append(n)\n\n\n"
               "import asyncio\nawait asyncio.gather(one(1), one(2), one(3))\nprint(order)", "answer(order)"]  # fmt: skip

    def tools(order):
        gates = {n: asyncio.Event() for n in (1, 2, 3)}

        async def wait(n: int) -> int:
            """Wait for its turn."""
            if n == order[0]:
                gates[n].set()
            await gates[n].wait()
            place = order.index(n) + 1
            if place < 3:
                gates[order[place]].set()
            return n

        return [wait]

    async def go():
        from atlas.runtime.episodes.journal import Journal

        write = Journal._write

        def dying(self, statement, values):
            if writes_of_turns.append(statement.startswith("INSERT INTO turns")) or sum(writes_of_turns) == 2:
                raise Died
            write(self, statement, values)

        writes_of_turns = []
        async with runs.runtime(by_turn(replies), tools=tools([2, 3, 1])) as runtime:
            with pytest.MonkeyPatch.context() as patch, pytest.raises(Died):
                patch.setattr(Journal, "_write", dying)
                await runtime.run("a task")
            printed = runtime.store.get("latest").turns[0].output
        async with runs.runtime(by_turn(replies), tools=tools([1, 2, 3])) as runtime:
            runtime.store.connection.execute("UPDATE episodes SET owner = 'elsewhere 1 1'")
            return printed, await runtime.resume()

    printed, episode = asyncio.run(go())
    assert printed.strip() == "[2, 3, 1]"
    assert episode.answer == [2, 3, 1]


def test_a_fork_goes_on_from_a_call_as_an_episode_of_its_own(runs, tmp_path):
    async def go():
        world = World()
        async with runs.runtime(by_turn(REPLIES), tools=world.tools()) as runtime:
            first = await runtime.run("a task")
            forked = await runtime.fork(first.id, at=4)
            record = runtime.store.get(forked.id)
            anew = await runtime.fork(first.id, at=0)
            with pytest.raises(EpisodeError, match="no call 40"):
                await runtime.fork(first.id, at=40)
            return world, first, forked, anew, record

    world, first, forked, anew, record = asyncio.run(go())
    assert forked.parent == first.id and forked.id != first.id and record.episode.forked_at == 4
    assert world.sent[:6] == [0, 1, 2, 3, 4, 5]
    assert world.sent[6:8] == [4, 5]
    assert forked.answer == [[1, 2, 3], [4, 7, 8], True]
    assert anew.answer[0] == [9, 10, 11]


def test_a_fork_over_a_copy_of_the_workspace_makes_its_changes_there(runs, workspace, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "notes.md").write_text((workspace / "notes.md").read_text())
    replies = [
        "files.write('a.txt', clock.now())\nfiles.append('a.txt', '!')\nfiles.write('b.txt', 'x')",
        "answer(files.list())",
    ]

    async def go():
        async with runs.runtime(by_turn(replies)) as runtime:
            first = await runtime.run("a task")
            forked = await runtime.fork(first.id, at=3, workspace=copy)
            with pytest.raises(ReplayMismatch):
                await runtime.fork(first.id, at=3, workspace=tmp_path / "nothing")
            return first, forked

    (tmp_path / "nothing").mkdir()
    (tmp_path / "nothing" / "a.txt").mkdir()
    first, forked = asyncio.run(go())
    assert first.answer == ["a.txt", "b.txt", "notes.md", "todo.txt"]
    assert forked.answer == ["a.txt", "b.txt", "notes.md"]
    assert (copy / "a.txt").read_text() == (workspace / "a.txt").read_text()


def test_a_fork_over_a_copy_sends_nothing_again_to_servers_whose_world_was_not_copied(runs, workspace, tmp_path):
    copy = shutil.copytree(workspace, tmp_path / "copy")
    paid, asked = [], []

    def pay(amount: int) -> int:
        """Pay."""
        paid.append(amount)
        return len(paid)

    def approve(request):
        asked.append(request.tool)
        return True

    async def go():
        replies = by_turn(["n = app.pay(5)\nfiles.append('a.txt', '!')\nanswer(n)"])
        async with runs.runtime(replies, tools=[pay], approve=approve) as runtime:
            first = await runtime.run("a task")
            return await runtime.fork(first.id, at=2, workspace=copy)

    forked = asyncio.run(go())
    assert forked.answer == 1 and paid == [5]
    assert asked == ["app.pay", "files.append"]
    assert (copy / "a.txt").read_text() == "!"


def test_a_fork_over_a_fresh_world_sends_again_to_all_servers(runs):
    async def go():
        world = World()
        async with runs.runtime(by_turn(REPLIES), tools=world.tools()) as runtime:
            first = await runtime.run("a task")
        fresh = World()
        async with runs.runtime(by_turn(REPLIES), tools=fresh.tools()) as runtime:
            await runtime.fork(first.id, after_turn=1, resend=True)
        return fresh

    assert asyncio.run(go()).sent == [0, 1, 2, 3, 4, 5]


def test_a_fork_makes_each_change_once_although_its_worker_is_rebuilt(runs, workspace, tmp_path):
    copy = shutil.copytree(workspace, tmp_path / "copy")
    replies = ["x = 1\nfiles.append('b.txt', 'A')\nfiles.append('b.txt', 'B')", "while True: pass",
               "answer([x, files.read('b.txt')])"]  # fmt: skip

    async def go():
        async with runs.runtime(by_turn(replies), limits=Limits(wall_seconds=2)) as runtime:
            first = await runtime.run("a task")
            return first, await runtime.fork(first.id, at=1, workspace=copy)

    first, forked = asyncio.run(go())
    assert first.answer == forked.answer == [1, "AB"]
    assert (copy / "b.txt").read_text() == "AB"


def test_a_fork_makes_the_changes_of_a_program_that_a_limit_ended(runs, workspace, tmp_path):
    copy = shutil.copytree(workspace, tmp_path / "copy")
    replies = ["files.append('b.txt', 'A')\nfiles.append('b.txt', 'B')\nwhile True: pass", "files.append('b.txt', 'C')",
               "answer(files.read('b.txt'))"]  # fmt: skip

    async def go():
        async with runs.runtime(by_turn(replies), limits=Limits(wall_seconds=2)) as runtime:
            first = await runtime.run("a task")
            return first, await runtime.fork(first.id, after_turn=2, workspace=copy)

    first, forked = asyncio.run(go())
    assert first.answer == forked.answer == "ABC"


def test_a_fork_that_would_have_to_guess_what_was_done_is_refused(runs, workspace, tmp_path):
    copy = shutil.copytree(workspace, tmp_path / "copy")
    replies = ["files.append('b.txt', 'A')\nwhile True: pass", "answer(1)"]

    async def go():
        async with runs.runtime(by_turn(replies), limits=Limits(wall_seconds=2)) as runtime:
            first = await runtime.run("a task")
            runtime.store.connection.execute("UPDATE calls SET ok = 0, error_kind = 'cancelled'")
            with pytest.raises(ReplayMismatch, match="nobody knows whether files"):
                await runtime.fork(first.id, after_turn=1, workspace=copy)

    asyncio.run(go())
    assert not (copy / "b.txt").exists()


def test_a_fork_after_a_turn_keeps_that_turn_whole_and_asks_the_policy_again(runs):
    replies = ["x = 20\nprint('a thing')", "answer(x + 1)"]

    async def go():
        async with runs.runtime(by_turn(replies)) as runtime:
            first = await runtime.run("a task")
            forked = await runtime.fork(first.id, after_turn=1, seed=7, temperature=0.5)
            anew = await runtime.fork(first.id, after_turn=0)
            with pytest.raises(EpisodeError, match="no finished turn 9"):
                await runtime.fork(first.id, after_turn=9)
            return first, forked, anew, runtime.store.get(first.id), runtime.store.get(forked.id)

    first, forked, anew, original, record = asyncio.run(go())
    assert (forked.answer, forked.turns, forked.parent) == (21, 2, first.id)
    assert record.turns[0] == original.turns[0].__class__(**{**_row(original.turns[0]), "episode": forked.id})
    assert record.turns[1].prompt_text == original.turns[1].prompt_text and record.turns[1].sampler["seed"] == 8
    assert anew.answer == 21


def _row(turn):
    return {name: getattr(turn, name) for name in turn.__slots__}
