"""Episodes into rows: the logged ids laid end to end, exactly as the policy read and wrote them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...runtime.episodes.rows import EpisodeRow, Record, TurnRow
from ..errors import CorruptRow, NotTrainable
from .row import Row, check

_PER_TURN = frozenset(("kept_mass", "prefix_reused", "seed", "max_tokens", "prompt_ids"))
"""Sampler settings that differ from turn to turn without changing the distribution."""
_NAN = math.nan


def rows_of(record: Record) -> list[Row]:
    """The rows of one episode, weights all 0; raises `NotTrainable` where the log holds no token ids."""
    episode, rows = record.episode, list[Row]()
    for turns in _contiguous(record.turns):
        row = _row(episode, turns, len(rows))
        check(row)
        rows.append(row)
    if not rows:
        raise NotTrainable(
            "no reply was logged with its token ids" if record.turns else "it has no turns", where=episode.id,
            mend="use a policy that returns token ids (a GGUF in process, or an endpoint with return_token_ids)",
        )  # fmt: skip
    return rows


def _contiguous(turns: Sequence[TurnRow]) -> list[list[tuple[TurnRow, list[int]]]]:
    """Turns that share one growing prompt, each with the ids it added; a turn without ids ends the row."""
    groups: list[list[tuple[TurnRow, list[int]]]] = []
    read: list[int] | None = None
    for turn in sorted(turns, key=lambda turn: turn.turn):
        added, start = _added(turn, read)
        if added is None or not turn.reply_ids or (not start and read is None):
            read = None  # what follows needs a start of its own
            continue
        if start:
            groups.append([])
            read = []
        groups[-1].append((turn, added))
        read = [*(read or []), *added, *turn.reply_ids]
    return groups


def _added(turn: TurnRow, read: list[int] | None) -> tuple[list[int] | None, bool]:
    """The ids that a turn added to its prompt, and whether they are a whole prompt; an endpoint reports whole ones."""
    if turn.prompt_ids is not None:
        return turn.prompt_ids, turn.row_start
    whole = turn.sampler.get("prompt_ids")
    if not isinstance(whole, list) or not whole:
        return None, False
    if read is not None and whole[: len(read)] == read:
        return whole[len(read) :], False
    return whole, True


def _row(episode: EpisodeRow, steps: Sequence[tuple[TurnRow, list[int]]], index: int) -> Row:
    parts: dict[str, list[Any]] = {name: [] for name in ("ids", "mask", "turn", "behaviour", "raw", "kept")}
    where, turns = f"{episode.id}#{index}, turn ", [turn for turn, _ in steps]
    for turn, prompt in steps:
        reply = turn.reply_ids or []
        if len(parts["ids"]) + len(prompt) != turn.prompt_tokens:
            raise CorruptRow(
                f"row {episode.id}#{index} is damaged: turn {turn.turn} read {turn.prompt_tokens} tokens, and the log holds"
                f" {len(parts['ids']) + len(prompt)}",
                where=f"{where}{turn.turn}", mend="remove this episode: its log lost a part",
            )  # fmt: skip
        _extend(parts, prompt, sampled=False, turn=-1, behaviour=None, raw=None, kept=None, where=where)
        _extend(
            parts, reply, sampled=True, turn=turn.turn, behaviour=turn.logprobs_at_temperature, raw=turn.logprobs,
            kept=_kept(turn, len(reply), where), where=where,
        )  # fmt: skip
    size = len(parts["ids"])
    return Row(
        ids=parts["ids"], loss_mask=parts["mask"], turn=parts["turn"], ce_weight=[0.0] * size, rl_weight=[0.0] * size,
        advantage=[0.0] * size, value=[0.0] * size, behaviour_logprob=parts["behaviour"], raw_logprob=parts["raw"],
        constrained=parts["kept"], sampler=_shared_sampler(turns), rollout=episode.id, index=index, task=episode.task,
        policy_version=episode.policy_version, base_hash=episode.base_hash, adapter_hash=episode.adapter_hash,
        exact_sampling=_exact(turns),
    )  # fmt: skip


def _extend(
    parts: dict[str, list[Any]], ids: Sequence[int], *, sampled: bool, turn: int, behaviour: Sequence[float] | None,
    raw: Sequence[float] | None, kept: Sequence[float] | None, where: str,
) -> None:  # fmt: skip
    size = len(ids)
    for values in (behaviour, raw):
        if values is not None and len(values) != size:
            raise CorruptRow(
                f"row {where.split(',')[0]} is damaged: turn {turn} has {len(values)} log-probabilities for {size} tokens",
                where=f"{where}{turn}", mend="remove this episode: its log lost a part",
            )  # fmt: skip
    parts["ids"] += ids
    parts["mask"] += [sampled] * size
    parts["turn"] += [turn] * size
    parts["behaviour"] += behaviour or [_NAN] * size
    parts["raw"] += raw or [_NAN] * size
    parts["kept"] += kept or [1.0] * size


def _kept(turn: TurnRow, size: int, where: str) -> list[float]:
    kept = [1.0] * size
    masses = turn.sampler.get("kept_mass") or []
    if len(masses) != len(turn.constrained) or any(not 0 <= place < size for place in turn.constrained):
        raise CorruptRow(
            f"row {where.split(',')[0]} is damaged: turn {turn.turn} names {len(turn.constrained)} constrained tokens and"
            f" {len(masses)} kept shares",
            where=f"{where}{turn.turn}", mend="remove this episode: its log lost a part",
        )  # fmt: skip
    for place, mass in zip(turn.constrained, masses, strict=True):
        kept[place] = max(float(mass), 1e-12)
    return kept


def _shared_sampler(turns: Sequence[TurnRow]) -> dict[str, Any]:
    first = {name: value for name, value in turns[0].sampler.items() if name not in _PER_TURN}
    return {name: value for name, value in first.items() if all(turn.sampler.get(name) == value for turn in turns[1:])}


def _exact(turns: Sequence[TurnRow]) -> bool:
    return all(_exact_turn(turn) for turn in turns) and len({turn.sampler["temperature"] for turn in turns}) == 1


def _exact_turn(turn: TurnRow) -> bool:
    """Sampled with known settings, nothing cut off; a setting that was not logged counts as unknown."""
    sampler = turn.sampler
    return (
        turn.logprobs_at_temperature is not None
        and float(sampler.get("temperature") or 0.0) > 0
        and not sampler.get("greedy", False)
        and float(sampler.get("top_p") or 0.0) == 1.0
        and (sampler.get("untruncated") is True or (sampler.get("top_k") == 0 and sampler.get("min_p") == 0.0))
        and float(sampler.get("repeat_penalty", 1.0)) == 1.0
    )
