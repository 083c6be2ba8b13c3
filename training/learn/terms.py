"""Terms of the loss: for every token that carries weight, what its log-probability is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from ..errors import NothingToLearn, SettingsError
from ..rows import Row
from .settings import LearnSettings
from .tree import Forest

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
CE, RL, SCORE = 0, 1, 2
"""Kinds of terms: supervised, policy gradient, and scored only."""
_FORCED = -1e-6
"""A constrained token that was sampled with a log-probability above this had no alternative."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Aligned arrays, one entry a term."""

    row: Ints
    place: Ints
    """Position of the token in its row."""
    target: Ints
    kind: Ints
    temperature: Floats
    weight: Floats
    """Already divided by what the step's loss is normalised with."""
    advantage: Floats
    behaviour: Floats
    """Log-probability of the token when it was sampled, at the temperature, before names were constrained."""
    reference: Floats
    """The same under the base model, for the KL term; 0 where there is none."""
    old_value: Floats
    """The critic's value of the state when the row was collected."""
    returns: Floats
    """What the value should be: advantage plus old value, before advantages are whitened."""

    def __len__(self) -> int:
        return len(self.row)

    def where(self, chosen: npt.NDArray[np.bool_] | Ints) -> Terms:
        """Some of the terms."""
        return Terms(*(getattr(self, part.name)[chosen] for part in fields(self)))

    def with_reference(self, values: Floats) -> Terms:
        """The same with the log-probabilities of the base model."""
        return replace(self, reference=values)


@dataclass(frozen=True, slots=True)
class Counts:
    """What the rows of a step held, before anything was left out."""

    ce_tokens: int
    rl_tokens: int
    forced_tokens: int
    """Tokens without policy gradient because the name constraint, not the policy, chose them."""
    stale_rows: int


def terms_of(rows: Sequence[Row], settings: LearnSettings, stale: Sequence[bool] | None = None) -> tuple[Terms, Counts]:
    """The terms of one optimiser step, normalised over all of it."""
    stale = stale or [False] * len(rows)
    for row in rows:
        if len(row.ids) > settings.max_row_tokens:
            raise SettingsError(
                f"row {row.name} has {len(row.ids)} tokens, and max_row_tokens is {settings.max_row_tokens}", where=row.name,
                mend="raise max_row_tokens, or leave the episode out",
            )  # fmt: skip
    scale = _ScaleOfGradient(rows, settings, stale)
    parts, forced = [], 0
    for number, row in enumerate(rows):
        parts.append(_supervised(number, row, scale.ce))
        if not stale[number]:
            part, skipped = _reinforced(number, row, scale.rl(number), settings)
            parts.append(part)
            forced += skipped
    terms = _joined(parts)
    if settings.whiten:
        terms = _whitened(terms)
    ce_tokens, rl_tokens = (sum(sum(map(bool, getattr(row, name))) for row in rows) for name in ("ce_weight", "rl_weight"))
    if not len(terms) and not rl_tokens:
        raise NothingToLearn(
            f"no token of these {len(rows)} rows carries weight", where="rows",
            mend="give them weights, or choose other episodes",
        )  # fmt: skip
    return terms, Counts(ce_tokens, rl_tokens, forced, sum(stale))


def score_terms(rows: Sequence[Row], *, at_temperature: bool = False) -> Terms:
    """Terms that only score the sampled tokens, under the raw model or at the temperature of the row."""
    parts = []
    for number, row in enumerate(rows):
        places = np.nonzero(np.asarray(row.loss_mask))[0]
        temperature = row.temperature if at_temperature else 1.0
        parts.append(_terms(number, row, places, SCORE, temperature, np.ones(len(places))))
    return _joined(parts)


def needed(rows: Sequence[Row], terms: Terms) -> list[list[int]]:
    """Of each row the tokens that must be read to score its terms: nothing after the last of them."""
    last = np.zeros(len(rows), dtype=np.int64)
    np.maximum.at(last, terms.row, terms.place)
    return [row.ids[:end] for row, end in zip(rows, last, strict=True)]


def sources(forest: Forest, terms: Terms) -> tuple[Ints, Ints]:
    """For each term the node, and the offset in it, of the token before: the one whose output predicts it."""
    nodes, offsets = np.full(len(terms), -1), np.zeros(len(terms), dtype=np.int64)
    order = np.argsort(terms.row, kind="stable")
    bounds = np.searchsorted(terms.row[order], np.arange(len(forest.paths) + 1))
    for number, path in enumerate(forest.paths):
        mine = order[bounds[number] : bounds[number + 1]]
        before = terms.place[mine] - 1
        starts = np.asarray([node.start for node in path], dtype=np.int64)
        which = np.searchsorted(starts, before, side="right") - 1
        nodes[mine] = np.asarray([node.index for node in path], dtype=np.int64)[which] if len(mine) else nodes[mine]
        offsets[mine] = before - starts[which] if len(mine) else offsets[mine]
    return nodes, offsets


class _ScaleOfGradient:
    """What the weights of a step are divided by."""

    def __init__(self, rows: Sequence[Row], settings: LearnSettings, stale: Sequence[bool]) -> None:
        total = sum(sum(row.ce_weight) for row in rows)
        self.ce = 1 / total if total else 0.0
        self._rollouts: dict[str, float] = {}
        self._names = [row.rollout or row.name for row in rows]
        for name, row, old in zip(self._names, rows, stale, strict=True):
            weight = 0.0 if old else sum(row.rl_weight)
            if weight:
                self._rollouts[name] = self._rollouts.get(name, 0.0) + weight
        self._settings = settings

    def rl(self, number: int) -> float:
        """The factor of a row's policy gradient."""
        count, name = len(self._rollouts), self._names[number]
        if name not in self._rollouts:
            return 0.0
        if self._settings.normalisation == "tokens":
            return 1 / sum(self._rollouts.values())
        if self._settings.normalisation == "rollouts":
            return 1 / (self._rollouts[name] * count)
        return 1 / (self._settings.constant_tokens * count)


def _supervised(number: int, row: Row, scale: float) -> Terms:
    weights = np.asarray(row.ce_weight)
    places = np.nonzero(weights)[0]
    return _terms(number, row, places, CE, 1.0, weights[places] * scale)


def _reinforced(number: int, row: Row, scale: float, settings: LearnSettings) -> tuple[Terms, int]:
    """Tokens with advantage (or KL); those that the name constraint chose are left out and counted."""
    weights, advantage = np.asarray(row.rl_weight), np.asarray(row.advantage)
    kept, behaviour = np.asarray(row.constrained), np.asarray(row.behaviour_logprob)
    alone = (kept < 1) & ((kept < settings.minimum_kept_mass) | (behaviour > _FORCED))
    wanted = (weights > 0) & ((advantage != 0) | (settings.kl_weight > 0) | (settings.value_weight > 0))
    places = np.nonzero(wanted & ~alone)[0]
    terms = _terms(number, row, places, RL, row.temperature, weights[places] * scale)
    return terms, int((wanted & alone).sum())


def _terms(number: int, row: Row, places: Ints, kind: int, temperature: float, weights: Floats) -> Terms:
    size = len(places)
    behaviour = np.asarray(row.behaviour_logprob)[places] + np.log(np.asarray(row.constrained)[places])
    advantage, value = np.asarray(row.advantage)[places], np.asarray(row.value)[places]
    return Terms(
        np.full(size, number), places.astype(np.int64), np.asarray(row.ids, dtype=np.int64)[places], np.full(size, kind),
        np.full(size, temperature), weights, advantage, behaviour, np.zeros(size), value, advantage + value,
    )  # fmt: skip


def _whitened(terms: Terms) -> Terms:
    """The policy-gradient terms with advantages of mean 0 and deviation 1; one term alone stays as it is."""
    chosen = terms.kind == RL
    if chosen.sum() < 2:
        return terms
    own, advantage = terms.advantage[chosen], terms.advantage.copy()
    advantage[chosen] = (own - own.mean()) / (own.std() + 1e-8)
    return replace(terms, advantage=advantage)


def _joined(parts: Sequence[Terms]) -> Terms:
    if not parts:
        empty, none = np.zeros(0, dtype=np.int64), np.zeros(0)
        return Terms(empty, empty, empty, empty, *[none] * (len(fields(Terms)) - 4))
    return Terms(*(np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(Terms)))
