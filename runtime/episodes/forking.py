"""A fork: the beginning of an episode, copied up to one call, as an interrupted episode of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import EpisodeError
from .codec import to_text
from .ids import new_id
from .owner import this_process
from .rows import Record
from .store import EpisodeStore

if TYPE_CHECKING:
    from ..policies.base import PolicyIdentity

_TURN_BEGUN = (
    "created_at role prompt_text row_start prompt_ids prompt_tokens in_view reply_text reply_ids logprobs "
    "logprobs_at_temperature sampler constrained finish generated_tokens propose_seconds program reply_kind thinking"
).split()
_TURN_ENDED = (
    "status error output value answered program_seconds peak_rss_mb variables result_text loaded finished_at"
).split()
_CALL = (
    "number turn position tool arguments schema_hash repeatable decision decided_by sent_at attempts returned_at completed "
    "ok value error_kind error_message"
).split()


def copy_prefix(
    store: EpisodeStore, parent: Record, at: int, identity: PolicyIdentity, split: str | None, *,
    after_turn: int | None = None, place: Mapping[str, Any] | None = None,
) -> str:  # fmt: skip
    """Copy turns and calls up to call number `at` (0: nothing but the task); returns the id of the new episode.

    With `after_turn` that whole turn is copied instead, with its result, and none of a later one. `place` are the settings
    that say what the fork works on, where that is not what its parent worked on.
    """
    last = _turn_of(parent, at)
    if after_turn is not None:
        last, at = after_turn + 1, _last_call(parent, after_turn)
    row, identifier = parent.episode, new_id()
    with store.transaction() as connection:
        connection.execute(
            "INSERT INTO episodes (id, parent, forked_at, atlas, created_at, owner, task, status, model, base_hash, adapter,"
            " adapter_hash, policy_version, counting, settings, split)"
            " SELECT ?, id, ?, atlas, ?, ?, task, 'interrupted', ?, ?, ?, ?, ?, counting, ?, ? FROM episodes WHERE id = ?",
            (identifier, at, time.time(), this_process(), identity.model, identity.base_hash, identity.adapter,
             identity.adapter_hash, identity.version, to_text(row.settings | dict(place or {})), split, row.id),
        )  # fmt: skip
        whole = ", ".join(["turn", *_TURN_BEGUN, *_TURN_ENDED])
        begun = ", ".join(["turn", *_TURN_BEGUN])
        calls = ", ".join(_CALL)
        connection.execute(
            f"INSERT INTO turns (episode, {whole}) SELECT ?, {whole} FROM turns WHERE episode = ? AND turn < ?",
            (identifier, row.id, last),
        )
        connection.execute(
            f"INSERT INTO turns (episode, {begun}) SELECT ?, {begun} FROM turns WHERE episode = ? AND turn = ?",
            (identifier, row.id, last if after_turn is None else -1),
        )
        connection.execute(
            f"INSERT INTO calls (episode, {calls}) SELECT ?, {calls} FROM calls WHERE episode = ? AND number <= ?",
            (identifier, row.id, at),
        )
        connection.execute(
            "INSERT INTO times SELECT ?, turn, position, value FROM times WHERE episode = ? AND turn <= ?",
            (identifier, row.id, last if after_turn is None else after_turn),  # also what was read before the call
        )
    return identifier


def _last_call(parent: Record, turn: int) -> int:
    """The number of the last call up to the end of a turn; 0 where there was none."""
    row = next((one for one in parent.turns if one.turn == turn), None)
    if turn and (row is None or row.status is None):
        raise EpisodeError(
            f"episode {parent.episode.id} has no finished turn {turn}; it has {len(parent.turns)} turns",
            where=f"episode {parent.episode.id}", mend="`atlas episodes show` lists its turns",
        )  # fmt: skip
    return max((call.number for call in parent.calls if call.turn <= turn), default=0)


def _turn_of(parent: Record, at: int) -> int:
    if at == 0:
        return 0
    call = next((call for call in parent.calls if call.number == at), None)
    if call is None:
        raise EpisodeError(
            f"episode {parent.episode.id} has no call {at}; it made {len(parent.calls)}",
            where=f"episode {parent.episode.id}", mend="`atlas episodes show` lists its calls with their numbers",
        )  # fmt: skip
    return call.turn
