"""Learning from rows: prefix trees, losses, the trainer and its checkpoints."""

from __future__ import annotations

from .metrics import Ratios, StepMetrics, ratios_of
from .preflight import Preflight, preflight
from .runner import Runner
from .settings import LearnSettings
from .trainer import Trainer

__all__ = ["LearnSettings", "Preflight", "Ratios", "Runner", "StepMetrics", "Trainer", "preflight", "ratios_of"]
