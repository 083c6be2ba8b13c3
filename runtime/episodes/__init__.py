"""The log of runs: every episode token for token, its journal, and how it is replayed, exported and merged."""

from __future__ import annotations

from .episode import ContextUse, Episode
from .export import export_episodes, export_table, export_trajectories
from .merge import import_episodes
from .rows import CallRow, EpisodeRow, Record, TurnRow
from .store import EpisodeStore, open_store

__all__ = [
    "CallRow",
    "ContextUse",
    "Episode",
    "EpisodeRow",
    "EpisodeStore",
    "Record",
    "TurnRow",
    "export_episodes",
    "export_table",
    "export_trajectories",
    "import_episodes",
    "open_store",
]
