"""Tasks done with a pool: who is asked, who takes over, what is spent, and what is learned of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from atlas.runtime import Episode, Runtime
from atlas.runtime.episodes.store import EpisodeStore
from atlas.runtime.policies.errors import EndpointDown
from atlas.runtime.policies.scripted import ScriptedPolicy
from atlas.runtime.routing.chooser import Chooser
from atlas.runtime.routing.outcomes import Pair
from atlas.runtime.routing.pool import Pool, PoolModel
from atlas.runtime.routing.spending import Purse
from atlas.runtime.routing.team import Team

from ..policies.servers import Request, serving, text_chunk

SECONDS = 240
Log = Callable[..., str]
Scripts = dict[str, list[str]]


class Office:
    """A pool of scripted models over a workspace; `run` gives tasks to it one after the other."""

    def __init__(self, folder: Path, store: EpisodeStore, home: str) -> None:
        self.folder, self.store, self.home = folder, store, Path(home)
        self.told: list[str] = []
        self.team: Team

    def run(self, scripts: Scripts, *tasks: str, prices: dict[str, float] | None = None, **options: Any) -> list[Episode]:
        pool = Pool({
            name: PoolModel(model="nano", input_price=(prices or {}).get(name, float(place)))
            for place, name in enumerate(scripts)
        })  # fmt: skip

        async def load(name: str, model: PoolModel) -> Any:
            if not scripts[name]:
                raise EndpointDown("nobody there", where=name, mend="start it")
            return ScriptedPolicy(scripts[name])

        async def go() -> list[Episode]:
            async with asyncio.timeout(SECONDS):
                return await self._all(pool, load, tasks, options)

        return asyncio.run(go())

    async def _all(self, pool: Pool, load: Any, tasks: tuple[str, ...], options: dict[str, Any]) -> list[Episode]:
        runtime = Runtime(workspace=self.folder, approve="auto", budget=6_000, home=self.home, store=self.store)
        async with runtime:
            chooser = Chooser(pool, self.store, self.home)
            async with Team(runtime, chooser, tell=self.told.append, load=load, **options) as self.team:
                return [await self.team.run(task) for task in tasks]


@pytest.fixture
def office(tmp_path: Path, store: EpisodeStore, atlas_home: str) -> Office:
    (tmp_path / "notes.md").write_text("one two three\n")
    return Office(tmp_path, store, atlas_home)


def tried(episode: Episode) -> list[tuple[str, str]]:
    assert episode.route is not None
    return [(one["model"], one["status"]) for one in episode.route["attempts"]]


def test_the_cheap_model_does_what_it_can(office: Office):
    (episode,) = office.run({"cheap": ["answer(3)"], "dear": ["answer(4)"]}, "how many words are in notes.md?")
    assert (episode.answer, tried(episode)) == (3, [("cheap", "answered")])


def test_when_it_gives_up_another_takes_over(office: Office):
    (episode,) = office.run({"cheap": ['answer("Cannot do that")'], "dear": ["answer(4)"]}, "a hard task")
    assert episode.answer == 4
    assert tried(episode) == [("cheap", "gave_up"), ("dear", "answered")]
    assert episode.route is not None and episode.route["total_usd"] > 0


def test_a_model_that_cannot_be_reached_is_passed_over(office: Office):
    (episode,) = office.run({"cheap": [], "dear": ["answer(4)"]}, "a task")
    assert tried(episode) == [("cheap", "error"), ("dear", "answered")]
    assert any("nobody there" in line for line in office.told)


def test_a_model_that_breaks_down_in_a_run_is_replaced_and_the_log_says_so(office: Office):
    (episode,) = office.run({"cheap": ["print(1)"], "dear": ["answer(4)"]}, "a task")  # the script has no second reply
    assert tried(episode) == [("cheap", "error"), ("dear", "answered")]
    first = office.store.find(episode.route["attempts"][0]["episode"] if episode.route else "")
    assert (first.status, first.settings["route"]["model"]) == ("error", "cheap")


def test_after_a_change_no_other_model_begins_anew(office: Office):
    program = 'files.write(path="out.txt", content="x")\nanswer("Cannot go on")'
    (episode,) = office.run({"cheap": [program], "dear": ["answer(4)"]}, "write something")
    assert tried(episode) == [("cheap", "gave_up")]
    assert any("files.write may have changed" in line for line in office.told)


def test_when_all_give_up_the_last_word_counts(office: Office):
    (episode,) = office.run({"cheap": ['answer("Cannot A")'], "dear": ['answer("Cannot B")']}, "a task")
    assert (episode.status, episode.answer) == ("gave_up", "Cannot B")


def test_where_no_model_can_be_asked_the_reason_is_raised(office: Office):
    with pytest.raises(EndpointDown):
        office.run({"cheap": [], "dear": []}, "a task")


def test_the_choice_its_reason_and_its_cost_are_in_the_log_and_in_the_json(office: Office):
    (episode,) = office.run({"cheap": ["answer(3)"]}, "a task", prices={"cheap": 2.0}, spend_limit=1.0)
    logged = office.store.find(episode.id).settings
    assert logged["route"] == episode.to_json()["route"]
    assert logged["route"]["model"] == "cheap" and "cheap" in logged["route"]["reason"]
    assert logged["route"]["cost_usd"] == pytest.approx(2e-6 * episode.context.total_prompt)
    assert logged["model_spec"] == "nano"


def test_the_tools_of_the_chosen_server_come_first(office: Office, log: Log):
    task = "count the words in notes.md"
    for server, reward in (("files", 1.0), ("text", 0.0), ("tables", 0.0)):
        for _ in range(9):
            log("something else altogether", "only", reward=reward, servers=(server,))
    (episode,) = office.run({"only": ["answer(3)"]}, task)
    assert (episode.route or {})["tool"] == "files"
    view = office.store.get(episode.id).turns[0].in_view
    assert view[0].startswith("files.")  # text comes first without a router


def test_what_fails_is_asked_less_and_what_answers_more(office: Office):
    scripts = {"cheap": ['answer("Cannot")'] * 9, "dear": ["answer(4)"] * 9}
    episodes = office.run(scripts, *(f"task {number}" for number in range(6)), prices={"cheap": 0.0, "dear": 0.0})
    assert tried(episodes[0])[0][0] == "cheap"
    assert tried(episodes[-1]) == [("dear", "answered")]


def test_nothing_is_asked_that_could_cost_more_than_is_left(office: Office):
    scripts = {"only": ["answer(1)"] * 6}
    episodes = office.run(scripts, *(f"task {number}" for number in range(6)), prices={"only": 50.0}, spend_limit=0.2)
    statuses = [episode.status for episode in episodes]
    assert {"answered", "budget"} == set(statuses)
    assert statuses == sorted(statuses)  # once the money is gone it stays gone
    assert 0 < office.team.purse.spent <= 0.2
    assert "spend-limit" in (episodes[-1].error or "") or "could cost" in (episodes[-1].error or "")


def test_a_model_that_costs_nothing_goes_on_when_the_money_is_gone(office: Office):
    scripts = {"dear": ["answer(1)"], "free": ["answer(2)"]}
    (episode,) = office.run(scripts, "a task", prices={"dear": 50.0, "free": 0.0}, spend_limit=0.0)
    assert episode.answer == 2


def test_an_episode_that_lacked_money_says_nothing_about_its_model(office: Office):
    office.run({"only": ["answer(1)"]}, "a task", prices={"only": 50.0}, spend_limit=0.0)
    again = Chooser(Pool({"only": PoolModel(model="nano")}), office.store, office.home)
    again.load()
    assert again.memory.router.statistics.counts().sum() == 0


def test_what_is_put_aside_for_one_reply_is_not_there_for_another():
    purse = Purse(1.0)
    purse.hold("a", 0.7)
    assert purse.left("b", None) == pytest.approx(0.3)
    assert purse.left("a", 0.8) == pytest.approx(0.1)
    purse.settle("a", 0.7, 0.2)
    assert purse.left("b", None) == pytest.approx(0.8)
    assert purse.left("a", 0.8) == pytest.approx(0.6)


# -- a GGUF and two endpoints, one dying and one slow in mid-run

TASKS = [f"How many words are in notes.md? ({number})" for number in range(5)]
GOOD_REPLIES = 1


class Endpoint:
    """Answers a few requests as an OpenAI endpoint does, then fails in its way for good."""

    def __init__(self, failing: Callable[[Request], None]) -> None:
        self.asked = 0
        self._failing = failing
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> None:
        if request.body is None:
            return request.answer({"data": [{"id": "m", "max_model_len": 8192}]})
        if "messages" not in request.body:
            return request.answer({}, 404)
        with self._lock:
            self.asked += 1
            broken = self.asked > GOOD_REPLIES
        if broken:
            return self._failing(request)
        usage = {"choices": [], "usage": {"prompt_tokens": 900, "completion_tokens": 5}}
        return request.stream([text_chunk('answer(text.count(path="notes.md", what="words"))', "stop"), usage])


def die(request: Request) -> None:
    request.stream([text_chunk("answ")], done=False)


def wait(over: threading.Event) -> None:
    over.wait(SECONDS)


@pytest.fixture
def endpoints() -> Iterator[dict[str, str]]:
    """Addresses of both; the slow one is let go at the end."""
    over = threading.Event()
    with ExitStack() as stack:
        dying, slow = Endpoint(die), Endpoint(lambda _: wait(over))
        addresses = {name: stack.enter_context(serving(one)) for name, one in (("dying", dying), ("slow", slow))}
        stack.callback(over.set)
        yield {name: f"{address}/v1#m" for name, address in addresses.items()}


@pytest.mark.parametrize("at_once", [False, True], ids=["one by one", "all at once"])
def test_a_pool_of_a_gguf_and_two_failing_endpoints_does_every_task_within_its_money(
    endpoints: dict[str, str], at_once: bool, tmp_path: Path, store: EpisodeStore, log: Log, atlas_home: str
):
    (tmp_path / "notes.md").write_text("one two three\nfour\n")
    pool = Pool({
        "dying": PoolModel(model=endpoints["dying"], input_price=1.0, output_price=1.0),
        "slow": PoolModel(model=endpoints["slow"], input_price=1.0, output_price=1.0, timeout_seconds=2.0),
        "small": PoolModel(model="nano"),
    })  # fmt: skip
    for number in range(4):  # so far the endpoints did well
        log(f"How many words are in notes.md? (before {number})", "dying", reward=1.0, servers=("text",))
        log(f"How many words are in notes.md? (before {number})", "slow", reward=1.0, servers=("text",))
    limit = 0.06

    async def go() -> tuple[list[Episode], Team, Chooser, dict[str, float]]:
        runtime = Runtime(workspace=tmp_path, approve="auto", home=atlas_home, store=store)
        async with asyncio.timeout(SECONDS), runtime:
            chooser = Chooser(pool, store, Path(atlas_home), cost_weight=0.0)
            async with Team(runtime, chooser, spend_limit=limit) as team:
                before = rates(chooser)
                runs = [team.run(task) for task in TASKS]
                done = list(await asyncio.gather(*runs)) if at_once else [await run for run in runs]
                return done, team, chooser, before

    episodes, team, chooser, before = asyncio.run(go())
    assert [(episode.status, episode.answer) for episode in episodes] == [("answered", 4)] * len(TASKS)
    assert team.purse.spent <= limit
    spent = sum(one["cost_usd"] for episode in episodes for one in (episode.route or {})["attempts"])
    assert spent == pytest.approx(team.purse.spent)
    after = rates(chooser)
    failed = {name for episode in episodes for name, status in tried(episode) if status == "error"}
    assert "dying" in failed and "small" in {name for episode in episodes for name, _ in tried(episode)}
    assert all(after[name] < before[name] for name in failed)
    assert {row.status for row in store.list(limit=200)} <= {"answered", "error", "budget"}  # none is left running


def rates(chooser: Chooser) -> dict[str, float]:
    """What is believed of each model."""
    statistics = chooser.memory.router.statistics
    overall = statistics.overall()
    return {
        name: float(overall[statistics.place(Pair(name))]) for name in ("dying", "slow") if statistics.find(Pair(name)) >= 0
    }
