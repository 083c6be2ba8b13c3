"""Runs whose programs have several calls under way: the journal, resuming, and the switch."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from atlas.runtime.episodes.journal import Journal
from atlas.runtime.policies.scripted import ScriptedPolicy
from atlas.sandbox import Limits

REPLIES = [
    "rows = [slow.read(n=n) for n in range(8)]\nprint(len(rows))",
    "a = slow.read(n=8)\nb = slow.read(n=9)\nanswer([rows, a, b])",
]
ANSWER = [[f"r{n}" for n in range(8)], "r8", "r9"]


class Died(BaseException):
    """Stands for the death of the process."""


class Slow:
    """A server whose calls come back in another order than they were sent."""

    def __init__(self, failing: int | None = None, wait_for: int = 0) -> None:
        self.failing, self.wait_for = failing, wait_for
        self.sent: list[int] = []
        self.now = self.most = 0

    def server(self) -> Any:
        from mcp.server import MCPServer
        from mcp.types import ToolAnnotations

        server = MCPServer("slow")

        @server.tool(annotations=ToolAnnotations(readOnlyHint=True))
        async def read(n: int) -> str:
            """Read a resource."""
            self.sent.append(n)
            self.now += 1
            self.most = max(self.most, self.now)
            while self.most < self.wait_for:
                await asyncio.sleep(0.001)
            await asyncio.sleep((n * 7 % 5) / 100)
            self.now -= 1
            if n == self.failing:
                raise ValueError(f"no {n}")
            return f"r{n}"

        return server


def by_turn(replies):
    return ScriptedPolicy(lambda conversation: replies[sum(m["role"] == "assistant" for m in conversation.messages)])


def test_calls_of_a_server_that_is_known_to_change_nothing_overlap(runs):
    slow = Slow(wait_for=8)
    episode, record = runs.recorded(by_turn(REPLIES), tools=[slow.server()])
    assert episode.answer == ANSWER and slow.most == 8
    calls = [(call.number, call.tool, call.arguments, call.value) for call in record.calls]
    assert calls == [(n + 1, "slow.read", {"n": n}, f"r{n}") for n in range(10)]
    assert sorted(call.completed for call in record.calls) == list(range(1, 11))


def test_the_switch_makes_them_one_by_one_and_the_journal_is_the_same(runs):
    slow = Slow()
    episode, record = runs.recorded(by_turn(REPLIES), tools=[slow.server()], overlap=False)
    assert episode.answer == ANSWER and slow.most == 1
    assert [(call.number, call.arguments, call.value) for call in record.calls] == [
        (n + 1, {"n": n}, f"r{n}") for n in range(10)
    ]


@pytest.mark.parametrize(("limits", "most"), [(Limits(max_in_flight=3), 3), (Limits(max_in_flight_per_server=2), 2)])
def test_the_host_keeps_the_limits_also_where_the_program_says_what_overlaps(runs, limits, most):
    slow = Slow()
    program = "import asyncio\nanswer(await asyncio.gather(*[slow.read(n=n) for n in range(8)]))"
    episode, _ = runs.recorded([program], tools=[slow.server()], limits=limits)
    assert episode.answer == ANSWER[0] and slow.most == most


async def died(runs, slow, replies, number, word, **options):
    """Run until the journal is about to write the `number`th statement that begins with `word`."""
    seen = []
    write = Journal._write

    def dying(self, statement, values):
        if statement.startswith(word):
            seen.append(1)
            if len(seen) >= number:
                raise Died
        write(self, statement, values)

    async with runs.runtime(by_turn(replies), tools=[slow.server()], **options) as runtime:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Journal, "_write", dying)
            with pytest.raises(BaseException) as caught:
                await runtime.run("a task")
        assert isinstance(caught.value, Died)
        runtime.store.connection.execute("UPDATE episodes SET status = NULL, owner = 'elsewhere 1 1'")
        return runtime.store.get("latest")


async def resumed(runs, slow, replies, **options):
    async with runs.runtime(by_turn(replies), tools=[slow.server()], **options) as runtime:
        return await runtime.resume()


@pytest.mark.parametrize(
    ("number", "word"),
    [(1, "INSERT INTO calls"), (4, "INSERT INTO calls"), (1, "UPDATE calls"), (3, "UPDATE calls"), (8, "UPDATE calls"),
     (2, "INSERT INTO turns"), (10, "INSERT INTO calls"), (9, "UPDATE calls"), (2, "UPDATE turns")],
)  # fmt: skip
def test_a_run_that_died_with_calls_under_way_goes_on(runs, number, word):
    async def go():
        slow = Slow()
        record = await died(runs, slow, REPLIES, number, word)
        returned = {call.arguments["n"] for call in record.calls if call.finished}
        return returned, await resumed(runs, slow, REPLIES), slow

    returned, episode, slow = asyncio.run(go())
    assert (episode.status, episode.answer, episode.tool_calls) == ("answered", ANSWER, 10)
    sent = Counter(slow.sent)
    assert all(sent[n] == 1 for n in returned) and set(sent) == set(range(10)) and max(sent.values()) <= 2


@pytest.mark.parametrize("overlap", [True, False])
def test_a_program_that_failed_among_calls_under_way_is_replayed_as_it_was(runs, overlap):
    replies = ["rows = [slow.read(n=n) for n in range(40)]", "print(1)", "answer('done')"]

    async def go():
        slow = Slow(failing=3)
        record = await died(runs, slow, replies, 2, "UPDATE turns", limits=Limits(max_in_flight=5), overlap=overlap)
        before = len(slow.sent)
        assert record.turns[0].status == "error" and before == 4 if not overlap else 4 <= before <= 13
        episode = await resumed(runs, slow, replies, limits=Limits(max_in_flight=5))  # as it was, whatever is asked now
        return episode, slow, before

    episode, slow, before = asyncio.run(go())
    assert (episode.answer, len(slow.sent)) == ("done", before)
