"""One training run from end to end: gather, score before, learn, save, score after, promote, report.

Everything that takes long is journalled in the run's folder; a run that was killed anywhere goes on with `resume`.
Nothing is written among the adapters before the last step of learning is done and trainer and llama.cpp agree.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime.episodes import EpisodeStore, open_store
from ...runtime.errors import UsageError
from ..adapters import AdapterStore
from ..errors import PracticeError, RecipeError, TooFewOutcomes
from ..outcomes import Selection, usable_episodes
from ..pace import span
from ..practice.ledger import Ledger
from ..practice.rollouts import Manner
from ..practice.tasks import practice_task
from ..report import write_report
from ..rows import read_dataset, write_dataset
from ..rubrics import RubricStore
from ..selectors.counterfactual import Counterfactual
from .folder import PRACTICE, RunFolder, new_run, unfinished_run
from .forecast import forecast
from .gathering import Chosen, Pool, choose_steps, fresh_tasks, logged_rows, practice_pool, split_rows, suite_of
from .learner import Learner
from .options import TrainOptions
from .practising import leave_out_unscored, tasks_to_practise
from .referring import referred_rows
from .reinforce import Online
from .replayed import relearn, replayed_rows
from .scoring import Scorer
from .supervised import Phase, Told, imitate, known_already
from .trial import Score, paired_interval, score

if TYPE_CHECKING:
    from ...runtime.policies.llama import LlamaPolicy
    from ..rows import Row

LEAST_TRIAL = 30
"""Held-out tasks that a promotion must rest on."""


@dataclass(slots=True)
class TrainResult:
    """What a run came to."""

    run: str
    recipe: str
    adapter: Path | None
    promoted: bool
    episodes: int
    rows: int
    steps: int
    before: Score | None
    after: Score | None
    seconds: float
    report: Path | None = None
    interval: tuple[float, float] | None = None
    suite: str | None = None
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The object that `atlas train --json` prints."""
        return {
            "run": self.run, "recipe": self.recipe, "adapter": str(self.adapter) if self.adapter else None,
            "promoted": self.promoted, "episodes": self.episodes, "rows": self.rows, "steps": self.steps,
            "before": self.before.to_json() if self.before else None,
            "after": self.after.to_json() if self.after else None,
            "interval": list(self.interval) if self.interval else None, "suite": self.suite,
            "report": str(self.report) if self.report else None, "seconds": round(self.seconds, 1),
        }  # fmt: skip


async def train(
    options: TrainOptions | None, *, home: Path, out: Path | None = None, resume: bool = False, told: Told | None = None
) -> TrainResult:
    """Run a recipe to its end. `options` None with `resume` goes on with those the run was started with.

    Raises `TrainingError` (too few episodes, a model that cannot be trained, ...) and `AtlasRuntimeError`.
    """
    if resume:
        folder = unfinished_run(home, out)
        options = folder.options()
    else:
        assert options is not None
        check_before(options, home)
        folder = new_run(home, options, out)
    run = _Run(options, home, folder, told or _silent, out)
    try:
        with folder.held():
            return await run.go()
    except BaseException:
        if not resume and not run.gathered:  # nothing was done that a run could go on with
            folder.discard()
        raise


def check_before(options: TrainOptions, home: Path) -> None:
    """What would end the run at once, told before its folder is made."""
    if options.reinforces and options.reward in ("generic", "paper") and options.judge is None:
        raise UsageError(
            f"the reward {options.reward!r} is given by a judge, and none is named", where="--reward",
            mend="name one with --judge SPEC, or take --reward rubric or outcome",
        )  # fmt: skip
    if options.references and not options.supervises:
        raise UsageError(
            f"the recipe {options.recipe} imitates nothing, so it has no use for references", where="--references",
            mend="leave it out, or take --recipe sft, critical or full",
        )  # fmt: skip
    if options.model.startswith(("http://", "https://", "scripted:")):
        raise RecipeError(
            f"{options.model} is not a model in this process", where="--model",
            mend="give nano, a .gguf file or hf:owner/name: its weights must be here to be trained",
        )  # fmt: skip
    if options.recipe == "router" and not options.pool:
        raise UsageError(
            "the pool of models is empty", where="atlas.toml: [models.<name>]",
            mend="add the models that the router may ask to atlas.toml in ATLAS_HOME",
        )  # fmt: skip


def _silent(what: str, done: int, total: int) -> None:
    pass


@dataclass(slots=True)
class _Run:
    """One run at work."""

    options: TrainOptions
    home: Path
    folder: RunFolder
    told: Told
    out: Path | None
    notes: list[str] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    gathered: bool = False
    """What there is to learn from is known and fit; from here on the run can be gone on with."""
    began: float = field(default_factory=time.monotonic)

    async def go(self) -> TrainResult:
        """All of it."""
        from ...runtime.policies import load_policy

        self.notes = list(self.folder.state().get("notes", []))
        policy: Any = load_policy(self.options.model, threads=self.options.threads)
        try:
            with ExitStack() as stack:
                log = stack.enter_context(open_store(self.home))
                practice = stack.enter_context(EpisodeStore(self.folder.path / PRACTICE))
                return await self._work(policy, log, practice)
        finally:
            await policy.aclose()

    async def _work(self, policy: LlamaPolicy, log: EpisodeStore, practice: EpisodeStore) -> TrainResult:
        if self.options.recipe == "router":
            return await self._route(policy, log, practice)
        selection = self._gather(log, policy)
        records = [one.record for one in selection]
        suite = self.options.suite or self.folder.state().get("suite") or suite_of(records) or "toolbox"
        self.folder.note(suite=suite, episodes=len(selection), left_out=dict(selection.left_out), sources=selection.counts())
        self._announce(selection, suite)
        pool = self._pool(selection)
        async with AsyncExitStack() as stack:
            scorer = await self._scorer(pool, stack) if self.options.reinforces else None
            if scorer is not None and not self.options.offline and not self.folder.state().get("tasks"):
                self._note_all(leave_out_unscored(pool, scorer))
            self.gathered = True
            return await self._learn(policy, selection, pool, log, practice, scorer, suite)

    async def _learn(
        self, policy: LlamaPolicy, selection: Selection, pool: Pool, log: EpisodeStore, practice: EpisodeStore,
        scorer: Scorer | None, suite: str,
    ) -> TrainResult:  # fmt: skip
        ledger = Ledger(self.folder.rollouts)
        manner = Manner(policy, practice, self.options.temperature, ledger, self.options.max_turns, version="select")
        rows = await self._rows(selection, pool, manner, log, suite) if self.options.supervises else []
        learner = Learner.open(policy, self.options, self.folder)
        learner.remember(logged_rows(selection))
        before = await self._score(policy, "before", suite)
        if rows:
            taught, watched = split_rows(rows, seed=self.options.seed)
            self.phases.append(await imitate(learner, taught, watched, self.told))
            self._note_all(known_already(self.phases[-1]))
        if scorer is not None:
            self.phases.append(await self._reinforce(learner, selection, pool, practice, ledger, scorer))
        self._check_learned()
        return await self._finish(
            learner, len(selection), before, suite, lambda: self._score(learner.policy, "after", suite)
        )

    async def _route(self, policy: LlamaPolicy, log: EpisodeStore, practice: EpisodeStore) -> TrainResult:
        """The learned router: demonstrations of the format, then PPO; the pool does the held-out tasks before and after."""
        from .route import Routed, demonstration_rows
        from .routing import for_demonstrations, open_drill, router_plays, try_router

        suite = self.options.suite or "toolbox"
        self.folder.note(suite=suite)
        tasks = {task.name: task for task in fresh_tasks(suite, self.options)}
        self.told(f"router over {', '.join(self.options.pool)}, {len(tasks)} tasks of {suite}; {self.folder.path}", 0, 0)
        self.told(f"to play: {router_plays(self.options)}", 0, 0)
        async with AsyncExitStack() as stack:
            drill = await open_drill(self.options, self.folder, self.home, policy, practice, stack)
            self.gathered = True
            learner = Learner.open(policy, self.options, self.folder)
            rows, played = await demonstration_rows(drill, learner, list(tasks.values()), self.told)
            self._note(f"{played} demonstrations were played, {len({row.rollout for row in rows})} solved their task")
            learner.remember(rows)
            before = await try_router(learner, log, drill, "before", suite, self.told)
            if rows:
                shown = replace(learner, options=for_demonstrations(self.options, policy.profile))
                self.phases.append(await imitate(shown, rows, [], self.told))
            self.phases.append(await Routed(learner, drill, tasks, self.told).run())
            self._check_learned()

            async def after() -> Score | None:
                return await try_router(learner, log, drill, "after", suite, self.told)

            return await self._finish(learner, played, before, suite, after)

    # -- what there is to learn from

    def _gather(self, log: EpisodeStore, policy: LlamaPolicy) -> Selection:
        """The episodes that can be learned from; a run that goes on takes those that it began with."""
        options, begun = self.options, self.folder.state().get("chosen")
        offline = options.offline and not options.supervises
        selection = usable_episodes(
            log, options.episodes if begun is None else None, base_hash=policy.identity.base_hash,  # `last=9`: others by now
            purpose="reinforcement" if offline else "supervised", vocabulary=policy.template.tokenizer.size,
            trusted_judges=self._trusted(), allow_unknown=options.recipe == "rubric" and not options.offline,
            ids=None if begun is None else frozenset(begun),
        )  # fmt: skip
        if begun is not None:
            return self._as_begun(selection, list(begun))
        flips = options.chooses == "counterfactual"
        solved = 1 if options.supervises and not flips and not options.references else 0
        selection.require(options.least_episodes, solved=solved)
        self.folder.note(chosen=[one.record.episode.id for one in selection])
        return selection

    def _as_begun(self, selection: Selection, begun: Sequence[str]) -> Selection:
        found = {one.record.episode.id: one for one in selection}
        gone = [identifier for identifier in begun if identifier not in found]
        if gone:
            raise RecipeError(
                f"{len(gone)} of the episodes that this run began with cannot be used any more, such as {gone[0]}",
                where="episode log", mend="start a new run without --resume",
            )  # fmt: skip
        return Selection([found[identifier] for identifier in begun], Counter(self.folder.state().get("left_out", {})))

    def _announce(self, selection: Selection, suite: str) -> None:
        """What this run will do, and about how long it takes, before the long part begins."""
        solved = f"{len(selection)} episodes ({len(selection.solved)} solved)"
        self.told(f"{self.options.recipe} on {solved}, held-out tasks of {suite}; run folder {self.folder.path}", 0, 0)
        expected = forecast(self.options, selection)
        self.told(f"to play: {expected}; {span(expected.seconds)} besides the learning itself", 0, 0)

    def _trusted(self) -> tuple[str, ...]:
        from .judging import trusted_judges

        return trusted_judges(self.home)

    def _pool(self, selection: Selection) -> Pool:
        if not self.options.reinforces and self.options.chooses != "counterfactual":
            return Pool()  # nothing is played
        pool = practice_pool([one.record for one in selection], self.home, self.options)
        for reason, count in pool.left_out.most_common():
            self._note(f"{count} episodes have no safe place to practise in: {reason}")
        return pool

    async def _rows(
        self, selection: Selection, pool: Pool, manner: Manner, log: EpisodeStore, suite: str
    ) -> list[Row]:
        kept = self.folder.path / "rows"
        if self.folder.state().get("selected") and kept.is_dir():
            return list(read_dataset(kept))
        selector = await self._selecting_policy(manner.policy)
        try:
            counterfactual = Counterfactual(manner, log, self.options.share, self.options.continuations, self.options.seed)
            chosen = await choose_steps(
                selection, pool, self.options, policy=selector, counterfactual=counterfactual, told=self.told
            )
        finally:
            if selector is not None and selector is not manner.policy:
                await selector.aclose()
        if self.options.references:
            shown, note = await referred_rows(selection, suite, self.options, manner, self.told)
            chosen.rows += shown
            self._note(note)
        self._check_chosen(chosen)
        self.folder.write_lines("selections.jsonl", [one.to_json() for one in chosen.selections])
        write_dataset(chosen.rows, kept)
        self.folder.note(selected=True, flips=chosen.flips, notes=self.notes)
        return chosen.rows

    async def _selecting_policy(self, policy: Any) -> Any:
        if self.options.chooses != "model":
            return None
        if self.options.selector_model in (None, self.options.model):
            return policy
        from ...runtime.policies import load_policy

        return load_policy(str(self.options.selector_model))

    def _check_chosen(self, chosen: Chosen) -> None:
        for reason, count in chosen.left_out.most_common():
            self._note(f"{count} episodes were left out of the supervised steps: {reason}")
        for reason, count in chosen.fell_back.most_common():
            self._note(f"for {count} episodes the data flow chose the steps: {reason}")
        if not chosen.rows:
            reasons = ", ".join(f"{count} {why}" for why, count in chosen.left_out.most_common()) or "none was solved"
            raise RecipeError(
                f"the selector {self.options.chooses} left no step to learn from ({reasons})", where="--selector",
                mend="collect more episodes, or take --selector all",
            )  # fmt: skip

    # -- learning

    async def _scorer(self, pool: Pool, stack: AsyncExitStack) -> Scorer:
        """Who rewards; a judge that may not be used and a rubric that is malformed are told before anything is learned."""
        from .judging import open_judge

        judge = open_judge(self.options, self.home)
        if judge is not None:
            stack.push_async_callback(judge.policy.aclose)
        if self.options.reward in ("rubric", "paper"):
            rubrics = RubricStore(self.home)
            for text in dict.fromkeys(task.text for task in pool.tasks.values()):
                rubrics.get(text)
        return Scorer(self.options.reward, self.home, judge)

    async def _reinforce(
        self, learner: Learner, selection: Selection, pool: Pool, practice: EpisodeStore, ledger: Ledger, scorer: Scorer
    ) -> Phase:
        if not self.options.offline:
            tasks, notes = tasks_to_practise(pool, self.folder, self.options)
            self._note_all(notes)
            return await Online(learner, scorer, tasks, practice, ledger, self.told).run()
        try:
            replayed = await replayed_rows([one for one in selection if one.exact_sampling], pool, scorer)
        except TooFewOutcomes as problem:
            if not self.phases:
                raise
            self._note(f"no reinforcement, only what was imitated: {problem.message}")
            return Phase("reinforce")
        if replayed.alone:
            self._note(f"{replayed.alone} episodes are the only ones of their task and compared with each other")
        return await relearn(learner, replayed.rows, self.told)

    def _check_learned(self) -> None:
        """An adapter that no step of learning touched is not worth keeping."""
        if any("loss" in line for phase in self.phases for line in phase.history):
            return
        raise PracticeError(
            "all rollouts of each task did equally well, so there was nothing to learn from", where=str(self.folder.path),
            mend="take tasks that are solved sometimes (--episodes), a larger --group, or a higher --temperature",
        )  # fmt: skip

    # -- the trial

    async def _score(self, policy: LlamaPolicy, when: str, suite: str) -> Score | None:
        limit = self.options.eval_limit
        if not limit:
            return None
        known = self.folder.lines(f"{when}.jsonl")
        if len(known) == limit and self.folder.state().get(f"scored_{when}"):
            return Score(tuple(known))
        if when == "before":
            latest = AdapterStore(self.home).latest(policy.identity.base_hash)
            policy.use_adapter(latest)
            if latest is not None:
                self._note(f"before: with the adapter {latest.parent.name}, which plain runs use until now")
        found = await score(
            policy, suite, limit=limit, seed=self.options.eval_seed, out=self.folder.path / f"{when}.jsonl",
            progress=lambda done, total, solved: self.told(f"{when}: held-out tasks, {solved} solved", done, total),
        )  # fmt: skip
        policy.use_adapter(None)
        self.folder.note(**{f"scored_{when}": True}, notes=self.notes)
        return found

    async def _finish(
        self, learner: Learner, episodes: int, before: Score | None, suite: str,
        score_after: Callable[[], Awaitable[Score | None]],
    ) -> TrainResult:  # fmt: skip
        store = AdapterStore(self.home)
        target = store.path_of(self.folder.name)
        path = target / "adapter.gguf"
        if not (self.folder.state().get("saved") and path.is_file()):
            path = learner.save(target, told=lambda what: self.told(what, 0, 0))
            self.folder.note(saved=True)
        shutil.rmtree(self.folder.path / "serving", ignore_errors=True)
        learner.policy.use_adapter(path)
        after = await score_after()
        interval, promoted = self._promote(store, before, after)
        result = TrainResult(
            self.folder.name, self.options.recipe, path, promoted, episodes, sum(one.rows for one in self.phases),
            sum(one.steps for one in self.phases), before, after, time.monotonic() - self.began, interval=interval,
            suite=suite if after else None, notes=self.notes,
        )  # fmt: skip
        if self.out is not None:
            shutil.copytree(target, self.out / "adapter", dirs_exist_ok=True)
        self.notes += [f"{one.name} ended early: {one.ended_early}" for one in self.phases if one.ended_early]
        self.folder.note(result=result.to_json(), notes=self.notes)
        result.report = write_report(self.folder)
        self.folder.note(result=result.to_json(), finished=True)
        return result

    def _promote(
        self, store: AdapterStore, before: Score | None, after: Score | None
    ) -> tuple[tuple[float, float] | None, bool]:
        if before is None or after is None:
            self._note("not promoted: nothing was evaluated (--eval-limit 0)")
            return None, False
        low, high = paired_interval(before.solved, after.solved)
        gain = (sum(after.solved) - sum(before.solved)) / len(before.solved)
        self.folder.note(trial={
            "suite": self.folder.state().get("suite"), "gain": round(gain, 4), "interval": [low, high],
            "before": before.to_json(), "after": after.to_json(),
        })  # fmt: skip
        if len(before.solved) < LEAST_TRIAL:
            self._note(f"not promoted: {len(before.solved)} held-out tasks say too little, {LEAST_TRIAL} are needed")
            return (low, high), False
        return (low, high), store.promote(self.folder.name, (low, high), gain=round(gain, 4))

    def _note_all(self, texts: Sequence[str]) -> None:
        for text in texts:
            self._note(text)
        self.folder.note(notes=self.notes)

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


__all__ = ["TrainResult", "check_before", "practice_task", "train"]
