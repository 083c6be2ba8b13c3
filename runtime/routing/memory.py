"""What routing remembers: the clusters in a file, the statistics made anew from the episode log whenever it is opened.

The file (`routing.npz` in ATLAS_HOME, version 1) holds the encoder, the centroids and the cluster of each episode that was
counted. Counts are never stored: ratings, checks and removed episodes are in force at the next start.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...tools_registry.private_file import create_private
from .choosing import LEAST_TASKS, choose_count
from .clusters import Clusters, fit_clusters
from .encoder import WORDS, Encoder, Vectors, WordEncoder, encoder_named
from .errors import NoRouter, OutcomesError
from .log import Logged, logged
from .outcomes import observed
from .router import ClusterRouter
from .statistics import Statistics

if TYPE_CHECKING:
    from ..episodes.store import EpisodeStore
    from .pool import Pool

FILE_NAME = "routing.npz"
VERSION = 1
GROWTH = 1.5
"""Clusters are made anew when the log holds this many times the tasks that they were made of."""
Notify = Callable[[str], None]


@dataclass(slots=True)
class TaskMap:
    """Encoder and clusters, and where known episodes lie."""

    encoder: Encoder
    clusters: Clusters
    fitted_on: int
    """Tasks."""
    places: dict[str, int] = field(default_factory=dict)
    """Episode -> cluster."""


class Memory:
    """A router over the episodes of one store, kept up to date as they finish."""

    def __init__(self, home: Path | None, store: EpisodeStore, pool: Pool, encoder: str = WORDS) -> None:
        self._file = home / FILE_NAME if home is not None else None
        self._store, self._pool, self._spec = store, pool, encoder
        self._map: TaskMap | None = None
        self.router = ClusterRouter(None, Statistics(1))

    def load(self, notify: Notify | None = None) -> None:
        """Read file and log; make clusters where there are none or the log has grown. Raises what the encoder raises."""
        episodes = list(logged(self._store, self._pool))
        named = encoder_named(self._spec)
        self._map = None if self._file is None else _read(self._file, named)
        tasks = len({one.task for one in episodes})
        if tasks >= LEAST_TASKS and (self._map is None or tasks >= GROWTH * self._map.fitted_on):
            self._fit(episodes, named, notify)
        self._count(episodes)

    def vector(self, task: str) -> Vectors | None:
        """The task as the clusters see it; None while there are none."""
        return None if self._map is None else self._map.encoder.encode([task])[0]

    def learn(self, episode: str) -> None:
        """Count an episode that has just finished."""
        for one in logged(self._store, self._pool, episode):
            vector = self.vector(one.task)
            for outcome in one.outcomes:
                self.router.learn(vector, outcome)

    def _fit(self, episodes: Sequence[Logged], named: Encoder | None, notify: Notify | None) -> None:
        seen = observed([outcome for one in episodes for outcome in one.outcomes])
        if notify is not None:
            notify(f"making clusters of {len(seen.texts)} logged tasks")
        try:
            encoder = named or WordEncoder.fit(seen.texts)
            vectors = encoder.encode(seen.texts)
            count, _ = choose_count(vectors, seen)
            self._map = TaskMap(encoder, fit_clusters(vectors, count), len(seen.texts))
        except NoRouter as problem:  # all tasks are one cluster then
            if notify is not None:
                notify(f"{problem.message} ({problem.mend}): all tasks count as one cluster")

    def _count(self, episodes: Sequence[Logged]) -> None:
        known = self._map
        new = [one for one in episodes if known is not None and one.episode not in known.places]
        if known is not None and new:
            vectors = known.encoder.encode([one.task for one in new])
            known.places |= dict(zip((one.episode for one in new), known.clusters.nearest(vectors).tolist(), strict=True))
            if self._file is not None:
                _write(self._file, known, {one.episode for one in episodes})
        statistics = Statistics(known.clusters.count if known else 1)
        for one in episodes:
            for outcome in one.outcomes:
                statistics.add(known.places[one.episode] if known else 0, outcome)
        self.router = ClusterRouter(known.clusters if known else None, statistics)


def _write(file: Path, known: TaskMap, alive: set[str]) -> None:
    """Replace the file as a whole; episodes that are gone from the log are forgotten."""
    meta = {
        "version": VERSION, "encoder": known.encoder.identity, "fitted_on": known.fitted_on,
        "places": {episode: place for episode, place in known.places.items() if episode in alive},
    }  # fmt: skip
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    create_private(draft)
    with draft.open("wb") as out:
        arrays: dict[str, Any] = {"meta": np.array(json.dumps(meta))}
        if isinstance(known.encoder, WordEncoder):
            arrays |= known.encoder.arrays()
        np.savez(out, **arrays, centroids=known.clusters.centroids, radii=known.clusters.radii)
    draft.replace(file)


def _read(file: Path, named: Encoder | None) -> TaskMap | None:
    """What the file holds; None where there is none, or where it was made with another encoder or version."""
    if not file.is_file():
        return None
    try:
        with np.load(file, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        meta: dict[str, Any] = json.loads(str(arrays["meta"]))
        wanted = named.identity if named is not None else WordEncoder.name()
        if meta["version"] != VERSION or meta["encoder"] != wanted:
            return None
        encoder = named or WordEncoder(arrays["rarity"], arrays["directions"])
        clusters = Clusters(arrays["centroids"], arrays["radii"])
        places = {str(key): int(value) for key, value in meta["places"].items() if 0 <= int(value) < clusters.count}
        return TaskMap(encoder, clusters, int(meta["fitted_on"]), places)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as problem:
        raise OutcomesError(
            f"the file of clusters is damaged: {problem}", where=str(file), mend="remove it; it is made again from the log"
        ) from None
