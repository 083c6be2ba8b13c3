"""A fork: the beginning of an episode, copied up to one call, as an interrupted episode of its own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

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


def copy_prefix(store: EpisodeStore, parent: Record, at: int, identity: PolicyIdentity, split: str | None) -> str:
    """Copy turns and calls up to call number `at` (0: nothing but the task); returns the id of the new episode."""
    last = _turn_of(parent, at)
    row, identifier = parent.episode, new_id()
    with store.transaction() as connection:
        connection.execute(
            "INSERT INTO episodes (id, parent, forked_at, atlas, created_at, owner, task, status, model, base_hash, adapter,"
            " adapter_hash, policy_version, counting, settings, split)"
            " SELECT ?, id, ?, atlas, ?, ?, task, 'interrupted', ?, ?, ?, ?, ?, counting, ?, ? FROM episodes WHERE id = ?",
            (identifier, at, time.time(), this_process(), identity.model, identity.base_hash, identity.adapter,
             identity.adapter_hash, identity.version, to_text(row.settings), split, row.id),
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
            (identifier, row.id, last),
        )
        connection.execute(
            f"INSERT INTO calls (episode, {calls}) SELECT ?, {calls} FROM calls WHERE episode = ? AND number <= ?",
            (identifier, row.id, at),
        )
        connection.execute(
            "INSERT INTO times SELECT ?, turn, position, value FROM times WHERE episode = ? AND turn < ?",
            (identifier, row.id, last),
        )
    return identifier


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
