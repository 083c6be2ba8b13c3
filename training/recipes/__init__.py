"""Recipes: what `atlas train` does, from logged episodes to an adapter that was tried on held-out tasks."""

from .options import Recipe, RewardKind, TrainOptions
from .train import TrainResult, train

__all__ = ["Recipe", "RewardKind", "TrainOptions", "TrainResult", "train"]
