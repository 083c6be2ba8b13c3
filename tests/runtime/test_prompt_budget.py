"""The prompt never exceeds its budget, and the log holds exactly what the policy read."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import pytest

from atlas.runtime.policies.scripted import ByteConversation, ScriptedPolicy
from atlas.runtime.view import View
from atlas.tools_registry.cards import Card


class Watched(ScriptedPolicy):
    """Keeps the ids of every prompt that it was asked with."""

    def __init__(self, replies, **options):
        super().__init__(replies, **options)
        self.prompts = []

    async def propose(self, conversation, sampling, **rest):
        self.names = rest.get("names")
        self.prompts.append(conversation.prompt_ids())
        return await super().propose(conversation, sampling, **rest)


def chain(record):
    """The prompts as the log gives them: each training row grows by what a turn added."""
    prompts, held = [], []
    for turn in record.turns:
        held = turn.prompt_ids if turn.row_start else held + turn.prompt_ids
        prompts.append(list(held))
        held = held + turn.reply_ids
    return prompts


def test_the_log_holds_the_ids_that_the_policy_read(runs):
    policy = Watched(["print(files.list())", "x = 1", "answer(text.count('notes.md'))"])
    _, record = runs.recorded(policy)
    assert chain(record) == policy.prompts
    assert [turn.row_start for turn in record.turns] == [True, False, False]
    assert all(turn.logprobs == [0.0] * len(turn.reply_ids) for turn in record.turns)


def test_long_results_rebase_the_prompt_and_keep_the_variables(runs):
    policy = Watched([f"part{n} = '{n}' * 40\nprint('{n}' * 290)" for n in range(8)] + ["answer(part0[0] + part7[0])"])
    episode, record = runs.recorded(policy, budget=2_000)
    assert episode.answer == "07"
    assert max(map(len, policy.prompts)) <= 2_000 and episode.context.peak <= 2_000
    starts = [turn.turn for turn in record.turns if turn.row_start]
    assert len(starts) > 1 and all(later - earlier >= 3 for earlier, later in pairwise(starts[1:]))
    assert chain(record) == policy.prompts
    rebased = record.turns[starts[1] - 1].prompt_text
    assert "done so far:" in rebased and "variables:" in rebased and "part0: " in rebased
    assert record.turns[starts[1] - 1].role == "user"


def test_a_task_that_does_not_fit_ends_with_status_budget(runs):
    episode = runs(["answer(1)"], "word " * 1_000, budget=2_000)
    assert (episode.status, episode.turns) == ("budget", 0)
    assert "raise --budget" in episode.error


def test_stubs_give_way_to_a_long_task(runs):
    task = "x" * 1_500
    policy = Watched(["answer(1)"])
    episode, record = runs.recorded(policy, task, budget=2_000)
    assert episode.status == "answered" and len(policy.prompts[0]) <= 2_000
    assert 0 < len(record.turns[0].in_view) < 6


def test_eager_loading_shows_everything_or_says_why_not(runs):
    _, record = runs.recorded(["answer(1)"], loading="eager", budget=12_000)
    assert len(record.turns[0].in_view) == 22
    episode = runs(["answer(1)"], loading="eager", budget=1_500)
    assert episode.status == "budget" and "all 22 stubs" in episode.error


UNITS = "# Convert a value between units, like km to mile.\ndef units.convert("


def test_iterative_server_and_tool_loading(runs):
    replies = ["load_tools('units')", "answer(units.convert(1, 'km', 'm'))"]
    episode, record = runs.recorded(replies, loading="servers")
    assert record.turns[0].in_view == () and "def " not in record.turns[0].prompt_text
    assert record.turns[1].prompt_text.startswith(UNITS) and episode.answer == 1000
    _, record = runs.recorded(["load_tools('units')", "load_tools('units.convert')", "answer(1)"], loading="tools")
    assert record.turns[1].prompt_text == "units: convert"
    assert record.turns[2].prompt_text.startswith(UNITS)
    assert record.turns[2].in_view == ("units.convert",)


def test_acting_by_json_calls(runs):
    episode, record = runs.recorded([
        '{"name": "text.count", "arguments": {"path": "notes.md"}}',
        "answer(4)",
        '{"name": "answer", "arguments": {"value": 4}}',
    ], acting="json")
    assert (episode.status, episode.answer) == ("answered", 4)
    assert record.turns[1].prompt_text == "4"
    assert "JSON" in record.turns[2].prompt_text
    assert "JSON" in record.episode.settings["system"]


@pytest.mark.parametrize("budget", [1_100, 1_400, 2_000])
def test_of_more_stubs_than_fit_the_first_are_shown_and_the_rest_counted(runs, budget):
    replies = ["load_tools('files', 'text', 'tables', 'units')", "load_tools('units.convert')"]
    policy = Watched([*replies, "answer(units.convert(1, 'km', 'm'))"])
    episode, record = runs.recorded(policy, loading="servers", budget=budget)
    assert (episode.status, episode.answer) == ("answered", 1000)
    assert all(len(prompt) <= budget for prompt in policy.prompts)
    read = record.turns[1].prompt_text
    assert " more; load fewer at once)" in read
    assert len(record.turns[1].in_view) == read.count("\ndef ") < 20


@pytest.mark.parametrize("budget", [900, 1_300, 1_800])
def test_no_prompt_exceeds_the_budget_whatever_comes_back(runs, budget):
    def reply(conversation):
        turn = len(conversation.messages) // 2
        return f"v{turn} = 'y' * {turn * 97}\nprint('z' * {turn * 131})" if turn % 3 else f"boom{turn}('{'q' * 200}')"

    policy = Watched(reply)
    episode = runs(policy, budget=budget, max_turns=10)
    assert episode.status in ("gave_up", "budget")
    assert all(len(prompt) <= budget for prompt in policy.prompts)
    assert isinstance(policy.conversation(""), ByteConversation)


def test_of_many_servers_the_prompt_names_a_few_and_counts_the_rest(runs):
    from mcp.server import MCPServer

    def tool() -> str:
        """Say something."""
        return "something"

    servers = {}
    for number in range(30):
        server = MCPServer(f"s{number}")
        server.add_tool(tool)
        servers[f"s{number}"] = server
    _, record = runs.recorded(["answer(1)"], tools=servers)
    first = record.turns[0].prompt_text.splitlines()[0]
    assert first.startswith("servers: files (10), ") and first.endswith(", ... (27)")
    assert len(first.split(", ")) == 9


def test_only_models_of_the_compact_profile_are_held_to_the_names_that_the_lexer_knows(runs):
    bound = {}
    for profile in ("compact", "full"):
        policy = Watched(["x = 1", "answer(x)"], profile=profile)
        runs(policy, budget=8_000)
        bound[profile] = policy.names.variables
        assert "files.read" in policy.names.tools
    assert "x" in bound["compact"] and bound["full"] is None


def test_calls_of_the_compact_profile_are_written_whole(runs):
    from mcp.server import MCPServer

    server = MCPServer("own")

    def greet(name: str, loud: bool = False) -> str:
        """Greet somebody."""
        return name

    server.add_tool(greet)
    needed = {}
    for profile in ("compact", "full"):
        policy = Watched(["answer(1)"], profile=profile)
        runs(policy, budget=8_000, tools={"own": server})
        needed[profile] = policy.names.required
    assert needed["compact"]["own.greet"] == ("name",) and needed["compact"]["files.read"] == ("path",)
    assert "answer" not in needed["compact"] and needed["full"] == {}


def test_a_call_of_a_tool_that_takes_any_argument_is_left_free():
    def made(name, **more):
        properties = {"properties": {"a": {}, "b": {}}, "required": ["a"]}
        return Card(f"own.{name}", True, properties | more)

    cards = {card.full_name: card for card in (
        made("fixed"), made("closed", additionalProperties=False),
        made("free", additionalProperties=True), made("typed", additionalProperties={"type": "string"}),
    )}  # fmt: skip
    view = View(registry=SimpleNamespace(cards=cards), loading="search")
    assert view.required() == {"own.fixed": ("a",), "own.closed": ("a",)}
