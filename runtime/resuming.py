"""May an episode be gone on with, by this policy, and under which options?"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

from .episodes.rows import Record
from .episodes.store import EpisodeStore
from .errors import EpisodeError
from .options import RunOptions

if TYPE_CHECKING:
    from .policies.base import Policy


def check_resumable(store: EpisodeStore, record: Record) -> None:
    """Raise `EpisodeError` for an episode that is running or has come to its end."""
    row = record.episode
    if store.is_running(row):
        raise EpisodeError(f"episode {row.id} is running", where=row.id, mend="interrupt it first")
    if row.status not in (None, "interrupted", "error"):
        raise EpisodeError(
            f"episode {row.id} has ended: {row.status}", where=row.id, mend="start the task anew with `atlas run`"
        )


def check_identity(record: Record, policy: Policy) -> None:
    """Raise `EpisodeError` where other weights would go on: the log of an episode belongs to one policy."""
    row, identity = record.episode, policy.identity
    if row.model == identity.model and row.base_hash == identity.base_hash and row.adapter_hash == identity.adapter_hash:
        return
    if row.model != identity.model:
        other = f"by {row.model}, not by {identity.model}"
    else:
        other = f"by another version of {row.model}, or with another adapter"
    raise EpisodeError(
        f"the episode was run {other}", where=f"episode {row.id}",
        mend=f"resume it with --model {row.settings.get('model_spec') or row.model} and the same --adapter, or start anew",
    )  # fmt: skip


def options_of(record: Record, now: RunOptions) -> RunOptions:
    """The options that the episode ran under; what an older log does not say is as now."""
    known = {one.name for one in fields(RunOptions)}
    return replace(now, **{name: value for name, value in record.episode.settings.items() if name in known})
