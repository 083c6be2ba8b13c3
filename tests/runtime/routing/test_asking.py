"""Models asked by programs and by the router's steps: what they may call, what they cost, and what is on record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atlas.runtime import Episode, Runtime
from atlas.runtime.episodes.store import EpisodeStore
from atlas.runtime.policies.errors import EndpointDown
from atlas.runtime.policies.scripted import ScriptedPolicy
from atlas.runtime.routing.chooser import Chooser
from atlas.runtime.routing.errors import NoRouter
from atlas.runtime.routing.pool import Pool, PoolModel
from atlas.runtime.routing.steps import Thinker, resume_steps
from atlas.runtime.routing.team import Team

from ..policies.servers import Request, serving, text_chunk

SECONDS = 240
COUNT = 'answer(text.count(path="notes.md", what="words"))'
Scripts = dict[str, list[str]]


class Desk:
    """A pool of scripted models over a workspace with one file, and a scripted router."""

    def __init__(self, folder: Path, store: EpisodeStore, home: str) -> None:
        self.folder, self.store, self.home, self.told = folder, store, Path(home), list[str]()
        self.team: Team

    def go(
        self, scripts: Scripts, work: Callable[[Team], Any], *, router: Any = "cluster", steps: list[str] | None = None,
        prices: dict[str, float] | None = None, scorer: str | None = None, **options: Any,
    ) -> Any:  # fmt: skip
        pool = Pool({
            name: PoolModel(
                model="nano", input_price=(prices or {}).get(name, 1.0), strengths=f"{name} things", scores=name == scorer
            )
            for name in scripts
        })  # fmt: skip

        async def load(name: str, model: PoolModel) -> Any:
            if not scripts[name]:
                raise EndpointDown("nobody there", where=name, mend="start it")
            return ScriptedPolicy(scripts[name])

        async def scripted() -> Any:
            return ScriptedPolicy(steps or [])

        async def run() -> Any:
            runtime = Runtime(workspace=self.folder, approve="auto", budget=6_000, home=self.home, store=self.store)
            chooser = Chooser(pool, self.store, self.home)
            thinker = None if steps is None else Thinker(scripted)
            async with asyncio.timeout(SECONDS), runtime, Team(
                runtime, chooser, router=router, tell=self.told.append, load=load, thinker=thinker, **options
            ) as self.team:  # fmt: skip
                return await work(self.team)

        return asyncio.run(run())

    def run(self, scripts: Scripts, task: str = "a task", **options: Any) -> Episode:
        found: Episode = self.go(scripts, lambda team: team.run(task), **options)
        return found

    def exec(self, scripts: Scripts, program: str, **options: Any) -> Any:
        return self.go(scripts, lambda team: team.execute(program), **options)


@pytest.fixture
def desk(tmp_path: Path, store: EpisodeStore, atlas_home: str) -> Desk:
    (tmp_path / "notes.md").write_text("one two three\n")
    return Desk(tmp_path, store, atlas_home)


def test_a_program_asks_a_model_and_reads_its_answer(desk: Desk):
    outcome = desk.exec({"a": [COUNT]}, 'answer(ask("a", "count the words", tools=["text"]) + 1)')
    assert (outcome.status, outcome.value) == ("ok", 4)
    (asked,) = desk.store.list()
    assert (asked.task, asked.status) == ("count the words", "answered")
    assert desk.store.find(asked.id).settings["route"]["cost_usd"] > 0


def test_a_model_is_held_to_the_tools_that_it_was_given(desk: Desk):
    program = 'try:\n    ask("a", "count", tools=["files"])\nexcept ToolError as error:\n    answer(error.kind)'
    assert desk.exec({"a": [COUNT] * 12}, program).value == "gave_up"
    record = desk.store.get(desk.store.list()[0].id)
    assert {call.tool for call in record.calls if call.sent_at} == set()
    assert all(name.startswith("files.") for turn in record.turns for name in turn.in_view)


@pytest.mark.parametrize(
    ("call", "kind"),
    [('ask("nobody", "x")', "invalid"), ('ask("a", "x", tools=["nothing"])', "invalid"), ('ask("down", "x")', "unreachable"),
     ('ask("no", "x")', "gave_up")],
)  # fmt: skip
def test_what_cannot_be_asked_is_an_error_in_the_program(desk: Desk, call: str, kind: str):
    program = f"try:\n    {call}\nexcept ToolError as error:\n    answer(error.kind)"
    scripts = {"a": [COUNT], "down": [], "no": ['answer("Cannot do it")']}
    assert desk.exec(scripts, program).value == kind


def test_what_is_asked_is_paid_from_the_one_purse(desk: Desk):
    program = 'try:\n    ask("a", "x")\nexcept ToolError as error:\n    answer(error.kind)'
    outcome = desk.exec({"a": ["answer(1)"]}, program, prices={"a": 900.0}, spend_limit=0.001)
    assert outcome.value == "budget" and desk.team.purse.spent == 0


def test_a_refused_tool_is_refused_to_the_asked_model_too(desk: Desk, store: EpisodeStore):
    program = 'files.write(path="new.txt", content="x")\nanswer(1)'

    async def work(team: Team) -> Any:
        team.runtime._approve = "never"
        return await team.execute('try:\n    ask("a", "write")\nexcept ToolError as error:\n    answer(error.kind)')

    desk.go({"a": [program, 'answer("Cannot")']}, work)
    assert not (desk.folder / "new.txt").exists()
    (call,) = [one for row in store.list() for one in store.get(row.id).calls]
    assert (call.decision, call.error_kind) == ("refused", "denied")


# -- the best of several answers

BEST = 'answer(ask("a", "count", best_of=3))'


def test_the_answer_with_the_highest_mean_mark_is_taken(desk: Desk):
    scripts = {"a": ["answer(1)", "answer(2)", "answer(3)"], "judge": ["3\n5", "step 1: 9\nstep 2: 8", "0\n10"]}
    outcome = desk.exec(scripts, BEST, scorer="judge")
    assert outcome.value == 2
    assert len(desk.store.list()) == 3
    seeds = {desk.store.get(row.id).episode.settings["seed"] for row in desk.store.list()}
    assert len(seeds) == 3 and all(row.settings["temperature"] == 1.0 for row in desk.store.list())


def test_a_candidate_that_gave_up_or_got_no_mark_is_not_preferred(desk: Desk):
    scripts = {"a": ['answer("Cannot")', "answer(2)", "answer(3)"], "judge": ["no idea", "4\n4"]}
    assert desk.exec(scripts, BEST, scorer="judge").value == 3


def test_candidates_only_read(desk: Desk):
    write = 'try:\n    files.write(path="o.txt", content="x")\nexcept ToolError as error:\n    answer(error.kind)'
    desk.exec({"a": [write] * 9, "judge": ["5"] * 9}, BEST, scorer="judge")
    assert not (desk.folder / "o.txt").exists()


def test_without_a_model_that_scores_the_best_cannot_be_told(desk: Desk):
    program = 'try:\n    ask("a", "x", best_of=2)\nexcept ToolError as error:\n    answer(error.message)'
    assert "scores = true" in desk.exec({"a": ["answer(1)"]}, program).value


def test_a_model_that_scores_does_no_task(desk: Desk):
    episode = desk.run({"judge": ["answer(0)"], "a": ["answer(9)"]}, scorer="judge")
    assert episode.answer == 9 and "judge" not in desk.team.pool


def test_the_router_takes_the_best_of_several_by_naming_it_as_a_tool(desk: Desk):
    steps = ["<think>hard</think><search>a@@best_of: count</search>", DONE]
    scripts = {"a": [f"answer({n})" for n in range(5)], "judge": ["5\n5", "5\n6", "5\n7", "9\n9", "1\n1"]}
    episode = desk.run(scripts, router="learned", steps=steps, scorer="judge")
    assert desk.store.get(episode.id).turns[1].prompt_text == "<information>3</information>"
    (step,) = (episode.route or {})["steps"]
    assert len(step["best_of"]) == 5 and step["cost_usd"] > 0


# -- pictures

PICTURE = b"\x89PNG\r\n\x1a\n" + b"0" * 40


class Seeing:
    """An endpoint that remembers what it was sent."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []

    def __call__(self, request: Request) -> None:
        if request.body is None:
            return request.answer({"data": [{"id": "m", "max_model_len": 8192}]})
        if "messages" not in request.body:
            return request.answer({}, 404)
        self.bodies.append(request.body)
        return request.stream([text_chunk('answer("a cat")', "stop")])


def with_picture(desk: Desk, pool: Pool, program: str, *, kept: bool = True) -> Any:
    async def run() -> Any:
        runtime = Runtime(workspace=desk.folder, approve="auto", budget=6_000, home=desk.home, store=desk.store)
        async with asyncio.timeout(SECONDS), runtime:
            folder = runtime.results / "e" if kept else desk.folder
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "1.png").write_bytes(PICTURE)
            async with Team(runtime, Chooser(pool, desk.store, desk.home), tell=desk.told.append) as team:
                return await team.execute(program.replace("PATH", repr({"kind": "image", "path": str(folder / "1.png")})))

    return asyncio.run(run())


LOOK = 'try:\n    answer(ask("small", "what?", tools=[], images=[PATH]))\nexcept ToolError as bad:\n    answer(bad.message)'


def test_a_picture_goes_to_a_model_that_sees(desk: Desk):
    seeing = Seeing()
    with serving(seeing) as address:
        pool = Pool({"small": PoolModel(model="nano"), "eyes": PoolModel(model=f"{address}/v1#m", vision=True)})
        assert with_picture(desk, pool, LOOK).value == "a cat"
    content = seeing.bodies[0]["messages"][1]["content"]
    assert [part["type"] for part in content] == ["text", "image_url"]
    assert content[1]["image_url"]["url"].startswith("data:image/png;base64,")
    assert any("small takes no pictures: eyes is asked" in line for line in desk.told)


def test_a_picture_is_refused_where_no_model_sees(desk: Desk):
    said = with_picture(desk, Pool({"small": PoolModel(model="nano")}), LOOK).value
    assert "takes no pictures" in said and "vision = true" in said


def test_only_what_a_tool_returned_can_be_shown(desk: Desk):
    pool = Pool({"small": PoolModel(model="http://127.0.0.1:9/v1#m", vision=True)})
    assert "was not returned by a tool" in with_picture(desk, pool, LOOK, kept=False).value


# -- the learned path

ASKING = "<think>words: b counts</think>\n<search>b@@text: count the words of notes.md</search>"
DONE = "<think>that is it</think><answer>3</answer>"


def test_the_router_thinks_asks_reads_and_answers(desk: Desk):
    episode = desk.run({"a": ["answer(9)"], "b": [COUNT]}, router="learned", steps=[ASKING, DONE])
    assert (episode.status, episode.answer, episode.turns) == ("answered", 3, 2)
    record = desk.store.get(episode.id)
    assert "b: b things" in record.episode.settings["system"]
    assert record.turns[1].prompt_text == "<information>3</information>"
    assert record.turns[0].reply_ids and record.turns[0].thinking == "words: b counts"
    (step,) = (episode.route or {})["steps"]
    assert (step["model"], step["tools"], step["status"]) == ("b", ["text"], "answered")
    assert episode.to_json()["route"]["total_usd"] == pytest.approx(step["cost_usd"])


@pytest.mark.parametrize("hidden", [(), ("text.count",)])
def test_what_a_task_hides_is_hidden_from_the_models_that_are_asked(desk: Desk, hidden: tuple[str, ...]):
    episode = desk.go({"b": [COUNT]}, lambda team: team.run("x", hidden=hidden), router="learned", steps=[ASKING, DONE])
    (step,) = (episode.route or {})["steps"]
    assert ("text.count" in desk.store.get(step["episode"]).turns[0].in_view) is not bool(hidden)
    assert step["status"] == "answered"  # who finds it may call it


def test_a_router_that_only_thinks_is_asked_again_and_ends_with_its_steps(desk: Desk):
    episode = desk.run({"a": ["answer(9)"]}, router="learned", steps=["<think>hm</think>"] * 4)
    assert (episode.status, episode.turns) == ("gave_up", 4)


def test_a_wrong_form_is_told_to_the_router(desk: Desk):
    episode = desk.run({"a": ["answer(9)"]}, router="learned", steps=["<search>a@@text", DONE])
    assert "write <think>" in desk.store.get(episode.id).turns[1].prompt_text and episode.answer == 3


def test_a_model_that_fails_is_an_answer_for_the_router(desk: Desk):
    steps = ["<think>x</think><search>down@@all: do it</search>", ASKING, DONE]
    episode = desk.run({"down": [], "b": [COUNT]}, router="learned", steps=steps)
    assert episode.answer == 3
    assert "nobody there" in desk.store.get(episode.id).turns[1].prompt_text


def test_auto_takes_the_learned_path_where_clusters_have_no_evidence(desk: Desk):
    episode = desk.run({"b": [COUNT]}, router="auto", steps=[ASKING, DONE])
    assert (episode.route or {})["steps"] and "learned" in (episode.route or {})["reason"]


def test_auto_goes_on_with_the_pool_where_the_router_gives_up(desk: Desk):
    episode = desk.run({"a": ["answer(9)"]}, router="auto", steps=["<think>hm</think>"] * 4)
    assert episode.answer == 9


def test_auto_begins_nothing_anew_after_an_asked_model_changed_something(desk: Desk):
    write = 'files.write(path="out.txt", content="x")\nanswer("done")'
    steps = ["<think>w</think><search>a@@files: write it</search>", *["<think>hm</think>"] * 3]
    episode = desk.run({"a": [write]}, router="auto", steps=steps)
    assert episode.status == "gave_up" and any("files.write may have changed" in line for line in desk.told)


def test_the_learned_router_is_refused_without_a_policy(desk: Desk):
    with pytest.raises(NoRouter, match="has no policy"):
        desk.run({"a": ["answer(1)"]}, router="learned")


def test_the_routers_own_run_says_nothing_about_a_member(desk: Desk):
    desk.run({"a": ["answer(9)"]}, router="learned", steps=[DONE])
    again = Chooser(Pool({"a": PoolModel(model="nano")}), desk.store, desk.home)
    again.load()
    assert again.memory.router.statistics.counts().sum() == 0


def test_a_killed_router_goes_on_without_asking_again(desk: Desk, store: EpisodeStore):
    episode = desk.run({"b": [COUNT]}, router="learned", steps=[ASKING, DONE])
    with store.transaction() as connection:  # as if the process had died before the second reply
        connection.execute("DELETE FROM turns WHERE episode = ? AND turn = 2", (episode.id,))
        connection.execute("UPDATE episodes SET status = 'interrupted', answer = NULL WHERE id = ?", (episode.id,))

    async def scripted() -> Any:
        return ScriptedPolicy([ASKING, DONE][1:])

    async def work(team: Team) -> Any:
        policy = Thinker(scripted)
        with pytest.MonkeyPatch.context() as patch:
            identity = (await Thinker(lambda: _ready(ScriptedPolicy([ASKING, DONE]))).load()).identity
            patch.setattr(ScriptedPolicy, "identity", identity)
            return await resume_steps(team, policy, episode.id)

    again = desk.go({"b": []}, work)
    assert (again.status, again.answer, again.turns) == ("answered", 3, 2)
    assert [step["model"] for step in again.route["steps"]] == ["b"] and again.route["cost_usd"] > 0


async def _ready(policy: Any) -> Any:
    return policy
