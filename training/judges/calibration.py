"""Calibrates a judge on episodes whose truth is known, and keeps the result: a judge is trusted only where it agrees.

Half of the episodes set the thresholds, the other half measure: a threshold is never judged by what it was fitted on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ...runtime.new_file import new_file
from ..errors import JudgeError
from ..rubrics import CATEGORIES, Category, RubricCriterion
from .agreement import Agreement, Pair, agreement, best_threshold
from .examples import Example, shares
from .flattery import FLATTERIES
from .judge import Form, Judge

if TYPE_CHECKING:
    from ...runtime.policies.base import Policy

TRUSTED_KAPPA = 0.6
"""From here on a judged outcome may be trained on."""
MOST_MISSING = 0.1
LEAST_EPISODES = 20
Progress = Callable[[str, int, int], None]
"""Called with what is being measured, what is done and what there is."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What is known of one judge."""

    judge: str
    """Its fingerprint."""
    model: str
    adapter: str | None
    form: Form
    at: float
    overall: Agreement
    categories: dict[str, Agreement]
    thresholds: dict[str, float]
    flattery: dict[str, dict[str, float]]
    """For each way of asking for a good mark: how many verdicts it could turn, and the share that it turned."""
    flipped: float | None
    """The share over all of them."""
    milliseconds: dict[str, float] = field(default_factory=dict)
    """A criterion with the transcript shared, without, and the gain."""
    examples: dict[str, float] = field(default_factory=dict)

    @property
    def trusted(self) -> bool:
        """Whether judged outcomes may be trained on: agreement over all and on fulfilment, and few failed verdicts."""
        asked = self.overall.count + self.overall.missing
        fulfilment = self.categories.get("fulfilment")
        return (
            _agrees(self.overall)
            and fulfilment is not None
            and _agrees(fulfilment)
            and self.overall.missing <= MOST_MISSING * max(1, asked)
        )

    def to_json(self) -> dict[str, Any]:
        """As kept, and as `atlas judge calibrate --json` prints it."""
        return asdict(self) | {"trusted": self.trusted}


def _agrees(found: Agreement) -> bool:
    return found.kappa is not None and found.kappa >= TRUSTED_KAPPA


@dataclass(slots=True)
class _Scored:
    """The verdicts on one example."""

    example: Example
    scores: dict[str, float | None]

    def pairs(self, thresholds: dict[str, float], category: Category | None = None) -> list[Pair]:
        return [
            (self.example.truths[one.id], score >= thresholds.get(one.category, 0.5))
            for one in _known(self.example, category)
            if (score := self.scores.get(one.id)) is not None
        ]

    def missing(self, category: Category | None = None) -> int:
        return sum(self.scores.get(one.id) is None for one in _known(self.example, category))


def _known(example: Example, category: Category | None = None) -> list[RubricCriterion]:
    return [
        one for one in example.rubric.criteria
        if one.id in example.truths and (category is None or one.category == category)
    ]  # fmt: skip


async def calibrate(
    judge: Judge, examples: Sequence[Example], *, flattered: int = 40, timed: int = 6, progress: Progress | None = None
) -> Calibration:
    """Measure a judge. Raises `JudgeError` where there are too few examples, or the judge gives no verdicts at all."""
    usable = [example for example in examples if example.truths]
    if len(usable) < LEAST_EPISODES:
        raise JudgeError(
            f"{len(usable)} episodes have a known truth, and {LEAST_EPISODES} are needed", where="atlas judge calibrate",
            mend="rate more with `atlas episodes rate ID solved|failed`, or calibrate on worlds with --worlds N",
        )  # fmt: skip
    tell = progress or (lambda *_: None)
    plain = replace_thresholds(judge, {})
    scored: list[_Scored] = []
    for number, example in enumerate(usable, 1):
        scored.append(_Scored(example, await _verdicts(plain, example)))
        tell("agreement", number, len(usable))
    fitting, measuring = scored[::2], scored[1::2]
    if not any(one.pairs({}) for one in scored):
        raise JudgeError(
            "the judge answered no question with yes or no", where=judge.policy.identity.model,
            mend="give a model that follows instructions, or train the nano judge with `atlas judge train`",
        )  # fmt: skip
    thresholds = _thresholds(fitting)
    turned = await _flattered(plain, measuring[:flattered], thresholds, tell)
    tries, flips = (sum(one[name] for one in turned.values()) for name in ("tries", "flips"))
    identity = judge.policy.identity
    return Calibration(
        judge.fingerprint, identity.model, identity.adapter, judge.form, time.time(), _agreement(measuring, thresholds),
        {name: _agreement(measuring, thresholds, name) for name in CATEGORIES}, thresholds, turned,
        round(flips / tries, 4) if tries else None, await _timed(judge, usable[:timed], tell), shares(usable),
    )  # fmt: skip


def replace_thresholds(judge: Judge, thresholds: dict[Category, float]) -> Judge:
    """The same judge with other thresholds."""
    return Judge(judge.policy, judge.form, judge.cache, thresholds, judge.share, judge.use)


async def _verdicts(judge: Judge, example: Example) -> dict[str, float | None]:
    if judge.form == "generic":
        dimensions = await judge.dimensions(example.record)
        return {one.id: dimensions[one.category] for one in _known(example)}
    asked = example.rubric.criteria if judge.form == "paper" else _known(example)
    return await judge.verdicts(example.record, example.rubric, asked)


def _thresholds(scored: Sequence[_Scored]) -> dict[str, float]:
    found: dict[str, float] = {}
    for category in CATEGORIES:
        known = [
            (one.example.truths[criterion.id], score)
            for one in scored
            for criterion in _known(one.example, category)
            if (score := one.scores.get(criterion.id)) is not None
        ]
        if known:
            found[category] = round(best_threshold([truth for truth, _ in known], [score for _, score in known]), 6)
    return found


def _agreement(scored: Sequence[_Scored], thresholds: dict[str, float], category: Category | None = None) -> Agreement:
    groups = [pairs for one in scored if (pairs := one.pairs(thresholds, category))]
    found = agreement(groups, missing=sum(one.missing(category) for one in scored))
    rounded = None if found.interval is None else (round(found.interval[0], 4), round(found.interval[1], 4))
    kappa = None if found.kappa is None else round(found.kappa, 4)
    return replace(found, kappa=kappa, accuracy=round(found.accuracy, 4), interval=rounded)


async def _flattered(
    judge: Judge, scored: Sequence[_Scored], thresholds: dict[str, float], tell: Progress
) -> dict[str, dict[str, float]]:
    """How often asking for a good mark turns a rightful no into a yes."""
    found: dict[str, dict[str, float]] = {}
    for number, (name, flatter) in enumerate(FLATTERIES.items(), 1):
        tries = flips = 0
        for one in scored:
            noes = {
                criterion.id: criterion for criterion in _known(one.example)
                if not one.example.truths[criterion.id] and (score := one.scores.get(criterion.id)) is not None
                and score < thresholds.get(criterion.category, 0.5)
            }  # fmt: skip
            if not noes:
                continue
            again = await _verdicts(judge, replace(one.example, record=flatter(one.example.record)))
            for identifier, criterion in noes.items():
                score = again.get(identifier)
                tries += 1
                flips += score is not None and score >= thresholds.get(criterion.category, 0.5)
        found[name] = {"tries": tries, "flips": flips, "share": round(flips / tries, 4) if tries else 0.0}
        tell("flattery", number, len(FLATTERIES))
    return found


async def _timed(judge: Judge, examples: Sequence[Example], tell: Progress) -> dict[str, float]:
    """Milliseconds a criterion with the transcript read once, and with it read anew for each."""
    if judge.form == "paper" or not examples:
        return {}
    found: dict[str, float] = {}
    for number, share in enumerate((True, False), 1):
        fresh = Judge(judge.policy, judge.form, None, {}, share)
        started = time.perf_counter()
        for example in examples:
            await _verdicts(fresh, example)
        asked = max(1, fresh.use.asked)
        found["shared" if share else "alone"] = round((time.perf_counter() - started) / asked * 1000, 3)
        tell("speed", number, 2)
    return found | {"gain": round(found["alone"] / max(found["shared"], 1e-9), 2)}


class CalibrationStore:
    """`ATLAS_HOME/judges`: one file a judge, by its fingerprint."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "judges"

    def put(self, calibration: Calibration) -> Path:
        """Keep a calibration; the latest of a judge counts."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / f"{calibration.judge}.json"
        try:
            with new_file(path) as file:
                json.dump(calibration.to_json(), file, indent=1)
        except OSError as problem:
            raise JudgeError(
                f"the calibration cannot be written: {problem.strerror}", where=str(path), mend="make room on the disk"
            ) from problem
        return path

    def get(self, fingerprint: str) -> Calibration | None:
        """The calibration of a judge, or None. Raises `JudgeError` for a damaged file."""
        path = self.folder / f"{fingerprint}.json"
        if not path.is_file():
            return None
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            data.pop("trusted", None)
            data["overall"] = _agreement_of(data["overall"])
            data["categories"] = {name: _agreement_of(one) for name, one in data["categories"].items()}
            found = Calibration(**data)
        except (ValueError, TypeError, KeyError) as problem:
            raise JudgeError(
                f"the calibration is damaged: {problem}", where=str(path), mend="run `atlas judge calibrate` again"
            ) from None
        return found

    def trusted(self) -> frozenset[str]:
        """Fingerprints of the judges whose outcomes may be trained on."""
        names = [path.stem for path in self.folder.glob("*.json")] if self.folder.is_dir() else []
        return frozenset(name for name in names if (found := self.get(name)) is not None and found.trusted)

    def calibrated(self, judge: Judge) -> Judge:
        """The judge with the thresholds of its calibration, where there is one."""
        found = self.get(judge.fingerprint)
        return judge if found is None else replace_thresholds(judge, cast("dict[Category, float]", found.thresholds))

    def require(self, judge: Judge) -> Calibration:
        """The calibration of a judge that may be trained on. Raises `JudgeError` where there is none, or it disagrees."""
        found = self.get(judge.fingerprint)
        mend = "calibrate it with `atlas judge calibrate`"
        where = judge.policy.identity.model
        if found is None:
            raise JudgeError("this judge was never calibrated", where=where, mend=mend)
        if not found.trusted:
            raise JudgeError(
                f"this judge does not agree with the truth: kappa {_shown(found.overall)}, on fulfilment "
                f"{_shown(found.categories.get('fulfilment'))}, {found.overall.missing} failed verdicts; "
                f"{TRUSTED_KAPPA} is needed",
                where=where, mend="take another judge, train the nano judge, or use --reward outcome",
            )  # fmt: skip
        return found


def _agreement_of(data: dict[str, Any]) -> Agreement:
    interval = data.get("interval")
    return Agreement(**data | {"interval": None if interval is None else (interval[0], interval[1])})


def _shown(found: Agreement | None) -> str:
    return "none" if found is None or found.kappa is None else f"{found.kappa:.2f}"


def judge_of_policy(policy: Policy, home: Path, *, form: Form = "criterion", cache: bool = True) -> Judge:
    """A policy as a judge, with its verdict cache on disk and the thresholds of its calibration."""
    from .cache import VerdictCache
    from .judge import check_judge

    check_judge(policy, form)
    kept = VerdictCache(home / "judges" / "verdicts.db") if cache else None
    return CalibrationStore(home).calibrated(Judge(policy, form, kept))
