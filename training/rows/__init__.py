"""Token rows: what every training method learns from, made from episodes without tokenising anything again."""

from __future__ import annotations

from .dataset import read_dataset, write_dataset
from .from_episodes import rows_of
from .row import Row, check, weigh

__all__ = ["Row", "check", "read_dataset", "rows_of", "weigh", "write_dataset"]
