"""Episodes in a log without running them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from atlas.runtime.episodes.journal import Journal
from atlas.runtime.episodes.store import EpisodeStore, open_store
from atlas.runtime.policies.base import PolicyIdentity

Log = Callable[..., str]


@pytest.fixture
def store(atlas_home: str) -> Iterator[EpisodeStore]:
    with open_store(Path(atlas_home)) as opened:
        yield opened


@pytest.fixture
def log(store: EpisodeStore) -> Log:
    """`log(task, model, "answered", reward=1.0, servers=["files"])` puts a finished episode into the log."""

    def put(
        task: str, model: str, status: str = "answered", *, reward: float | None = None, servers: tuple[str, ...] = (),
        split: str | None = None, parent: str | None = None, settings: dict[str, object] | None = None,
    ) -> str:  # fmt: skip
        route = {"route": {"model": model}} if settings is None else settings
        journal = Journal.begin(
            store, task, PolicyIdentity(model), route, counting="exact", atlas="0", split=split, parent=parent
        )
        for number, server in enumerate(servers, 1):
            with store.guarded():
                store.connection.execute(
                    "INSERT INTO calls (episode, number, turn, position, tool, arguments, schema_hash, repeatable)"
                    " VALUES (?, ?, 1, ?, ?, '{}', '', 1)",
                    (journal.episode, number, number, f"{server}.do"),
                )
        journal.finish(status, None, seconds=2.0, error=None, notes=[])
        if reward is not None:
            store.set_outcome(journal.episode, "rated", reward)
        return journal.episode

    return put
