"""May an episode be gone on with, by this policy, and under which options?"""

from __future__ import annotations

import shlex
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .adapters import AUTO, chosen_adapter
from .episodes.rows import EpisodeRow, Record
from .episodes.store import EpisodeStore
from .errors import EpisodeError
from .home import atlas_home
from .options import RunOptions
from .policies.errors import ModelError
from .policies.pinning import pinned

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


def recorded_workspace(row: EpisodeRow) -> Path | None:
    """The folder that an episode works in; None where an older log does not say. Raises `EpisodeError` where it is gone."""
    recorded = row.settings.get("workspace")
    if not isinstance(recorded, str):
        return None
    if not Path(recorded).is_dir():
        raise EpisodeError(
            f"the workspace of the episode is gone: {recorded}", where=f"episode {row.id}",
            mend="put the folder back there, or start the task anew with `atlas run`",
        )  # fmt: skip
    return Path(recorded)


def check_workspace(record: Record, workspace: Path) -> None:
    """Raise `EpisodeError` where the episode would go on in another folder than it was begun in."""
    recorded = recorded_workspace(record.episode)
    if recorded is not None and recorded.resolve() != workspace:
        raise EpisodeError(
            f"the episode works in {recorded}, not in {workspace}", where=f"episode {record.episode.id}",
            mend=f"resume it with --workspace {shlex.quote(str(recorded))}",
        )  # fmt: skip


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


def as_it_was(record: Record, policy: Policy, adapter: str | Path | None, home: Path | None) -> Policy:
    """The policy with the adapter that the episode began with, unless the user asks for a certain one.

    Where that adapter is gone or has changed, the policy as it is: `check_identity` then tells.
    """
    row = record.episode
    if adapter != AUTO or row.adapter_hash == policy.identity.adapter_hash:
        return pinned(policy)
    try:
        if row.adapter is None:
            return pinned(policy, None)
        path, _ = chosen_adapter(row.adapter, lambda: home or atlas_home(), lambda: row.base_hash, row.model)
        return pinned(policy, path, name=row.adapter)
    except ModelError:
        return pinned(policy)


def options_of(record: Record, now: RunOptions) -> RunOptions:
    """The options that the episode ran under; what an older log does not say is as now.

    Logs that do not say whether calls overlapped, and whether programs were checked, are from when neither was done.
    """
    known = {one.name for one in fields(RunOptions)}
    settings = {"overlap": False, "precheck": False} | record.episode.settings
    return replace(now, **{name: value for name, value in settings.items() if name in known})
