"""Judges: who scores the criteria that no program can, and how far they can be trusted."""

from __future__ import annotations

from .cache import VerdictCache
from .judge import Judge, JudgeUse

__all__ = ["Judge", "JudgeUse", "VerdictCache"]
