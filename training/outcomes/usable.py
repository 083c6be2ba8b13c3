"""Which logged episodes can be learned from, and why the others cannot.

An outcome is *known* (a world checked it), *checked* (`--check COMMAND`), *rated* (by a person), *judged*, or unknown.
Judged ones count only where `atlas judge calibrate` found that the judge agrees with the truth; held-out ones never.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ...runtime.episodes.episode import OutcomeKind
from ...runtime.episodes.rows import EpisodeRow, Record, TurnRow
from ..errors import TooFewOutcomes
from .filters import parse_filter
from .secrets import SecretFinder

if TYPE_CHECKING:
    from ...runtime.episodes.store import EpisodeStore

Purpose = Literal["supervised", "reinforcement"]
SOLVED_FROM = 0.5
"""A reward of at least this counts as solved."""


@dataclass(frozen=True, slots=True)
class Usable:
    """An episode that can be learned from. `solved` is None where only a judge is still to say."""

    record: Record
    solved: bool | None
    source: OutcomeKind
    exact_sampling: bool
    """False for greedy or truncated samples, which have no importance ratio and feed supervised recipes only."""

    @property
    def reward(self) -> float | None:
        """The logged outcome as a number from 0 to 1."""
        return self.record.episode.reward


@dataclass(slots=True)
class Selection:
    """What was chosen, and what was left out for which reason."""

    episodes: list[Usable] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    unrated: list[str] = field(default_factory=list)
    """Ids of episodes that would be usable if somebody rated them, newest first."""

    def __len__(self) -> int:
        return len(self.episodes)

    def __iter__(self) -> Iterator[Usable]:
        return iter(self.episodes)

    @property
    def solved(self) -> list[Usable]:
        """Those that solved their task."""
        return [one for one in self.episodes if one.solved]

    @property
    def failed(self) -> list[Usable]:
        """Those that did not."""
        return [one for one in self.episodes if one.solved is False]

    def counts(self) -> dict[str, int]:
        """How many by who says so, for the report."""
        return dict(Counter(one.source for one in self.episodes))

    def require(self, minimum: int, *, solved: int = 0, both: bool = False) -> Selection:
        """This selection, if it is enough. Raises `TooFewOutcomes`, which says how many there are and how to rate more.

        `solved` asks for so many solved ones; `both` asks for at least one solved and one failed.
        """
        count, good = len(self.episodes), len(self.solved)
        if count < minimum:
            raise self._too_few(f"{_number(count, 'usable outcome')}, and {minimum} are needed")
        if good < solved:
            raise self._too_few(f"{good} of {_number(count, 'usable episode')} solved their task, and {solved} are needed")
        if both and count and (good in (0, count)):
            how = "solved its task" if good else "failed"
            raise self._too_few(f"every one of {_number(count, 'usable episode')} {how}: there is nothing to compare")
        return self

    def _too_few(self, what: str) -> TooFewOutcomes:
        reasons = "; left out: " + ", ".join(f"{count} {why}" for why, count in self.left_out.most_common()) if (
            self.left_out
        ) else ""  # fmt: skip
        mend = "collect more with `atlas run --check COMMAND`, `atlas eval SUITE --split practice --keep`"
        if self.unrated:
            shown = ", ".join(self.unrated[:3])
            mend = (
                f"rate more with `atlas episodes rate ID solved|failed` ({_number(len(self.unrated), 'episode')} without"
                f" an outcome: {shown}{', ...' if len(self.unrated) > 3 else ''}), or {mend}"
            )
        return TooFewOutcomes(f"there are {what}{reasons}", where="episode log", mend=mend)


def usable_episodes(
    store: EpisodeStore,
    filter: str | None = None,
    *,
    base_hash: str | None,
    purpose: Purpose = "supervised",
    vocabulary: int | None = None,
    trusted_judges: Collection[str] = (),
    allow_unknown: bool = False,
    limit: int | None = None,
    ids: Collection[str] | None = None,
) -> Selection:
    """Episodes of this log that can be learned from, newest first.

    `base_hash` is that of the model to be trained (None takes any); `vocabulary` its number of tokens; `trusted_judges` are
    fingerprints of calibrated judges; `allow_unknown` keeps episodes that nobody has judged, for rewards by a judge; `ids`
    are the only ones that are looked at, where they are given.
    """
    wanted = parse_filter(filter)
    bound = min((one for one in (wanted.last, limit) if one is not None), default=None)
    chosen, secrets = Selection(), SecretFinder()
    identifiers: list[str] = store.ids()
    for identifier in reversed(identifiers):
        if ids is not None and identifier not in ids:
            continue
        if bound is not None and len(chosen) >= bound:
            break
        row = store.find(identifier)
        if not wanted.passes(row):
            continue
        why = _unfit_row(row, store.is_running(row), base_hash)
        if why is None:
            record = store.get(identifier)
            why = unfit(record, secrets=secrets, purpose=purpose, vocabulary=vocabulary)
            why = why or _unfit_outcome(row, trusted_judges, allow_unknown, chosen)
            if why is None:
                chosen.episodes.append(Usable(record, _solved(row, trusted_judges), row.outcome, exact(record.turns)))
        if why is not None:
            chosen.left_out[why] += 1
    return chosen


def _unfit_row(row: EpisodeRow, running: bool, base_hash: str | None) -> str | None:
    if row.split == "heldout":
        return "held out"
    if running:
        return "still running"
    if row.status in (None, "interrupted"):
        return "interrupted"
    if row.status == "error":
        return "ended by an error that is not the policy's doing"
    if row.settings.get("acting") == "route":
        return "of a router, which writes no programs"
    if base_hash is not None and row.base_hash != base_hash:
        return "of another base model" if row.base_hash else "of an endpoint whose weights are not known"
    return None


def unfit(
    record: Record, *, secrets: SecretFinder | None = None, purpose: Purpose = "supervised", vocabulary: int | None = None
) -> str | None:
    """Why the turns of an episode cannot be trained on, or None where they can."""
    turns = record.turns
    if not turns:
        return "without a turn"
    if any(turn.reply_ids is None or turn.prompt_ids is None for turn in turns):
        return "without token ids"
    if not turns[0].row_start or any(_damaged(turn) for turn in turns):
        return "damaged"
    if vocabulary is not None and any(_beyond(turn, vocabulary) for turn in turns):
        return "of another tokenizer"
    if secrets is not None and secrets.turns(record):
        return "with a secret in a reply"
    if purpose == "reinforcement" and not exact(turns):
        return "sampled greedily or truncated"
    return None


def _damaged(turn: TurnRow) -> bool:
    """Token ids and log-probabilities that do not belong together."""
    ids = turn.reply_ids or []
    for values in (turn.logprobs, turn.logprobs_at_temperature):
        if values is not None and (len(values) != len(ids) or not all(math.isfinite(one) for one in values)):
            return True
    return any(not 0 <= place < len(ids) for place in turn.constrained) or (turn.row_start and not turn.prompt_ids)


def _beyond(turn: TurnRow, vocabulary: int) -> bool:
    return any(not 0 <= token < vocabulary for token in (*(turn.prompt_ids or ()), *(turn.reply_ids or ())))


def exact(turns: Sequence[TurnRow]) -> bool:
    """Whether every reply was drawn from the whole distribution, with the log-probabilities of what was drawn."""
    return all(_exact(turn) for turn in turns)


def _exact(turn: TurnRow) -> bool:
    sampler = turn.sampler
    whole = (
        sampler.get("top_p", 1.0) in (1, 1.0, None)
        and sampler.get("top_k", 0) in (0, -1, None)
        and sampler.get("min_p", 0.0) in (0, 0.0, None)
        and sampler.get("untruncated", True)
    )
    warm = not sampler.get("greedy") and float(sampler.get("temperature") or 0.0) > 0
    return bool(whole and warm and turn.logprobs_at_temperature is not None)


def _unfit_outcome(row: EpisodeRow, trusted: Collection[str], allow_unknown: bool, chosen: Selection) -> str | None:
    if row.outcome in ("known", "checked", "rated") and row.reward is not None and math.isfinite(row.reward):
        return None
    if row.outcome == "judged" and row.reward is not None and judge_of(row) in trusted:
        return None
    if allow_unknown:
        return None
    chosen.unrated.append(row.id)
    return "judged by a judge that is not calibrated" if row.outcome == "judged" else "of unknown outcome"


def _solved(row: EpisodeRow, trusted: Collection[str]) -> bool | None:
    if row.reward is None or row.outcome == "unknown" or (row.outcome == "judged" and judge_of(row) not in trusted):
        return None
    return row.reward >= SOLVED_FROM


def judge_of(row: EpisodeRow) -> str:
    """The fingerprint of the judge that a judged episode names, or nothing."""
    words = (row.outcome_detail or "").split()
    return words[1] if row.outcome == "judged" and len(words) > 1 and words[0] == "judge" else ""


def judged_detail(fingerprint: str, text: str = "") -> str:
    """What is stored with a judged outcome, so that it is known who judged."""
    return f"judge {fingerprint} {text}".rstrip()


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
