"""Figures as plain JSON values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any


def plain(figures: Any) -> dict[str, Any]:
    """A dataclass or mapping of figures, numbers rounded so that a line stays readable."""
    data = asdict(figures) if is_dataclass(figures) and not isinstance(figures, type) else dict(figures)
    return {name: _rounded(value) for name, value in data.items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return value


def mean(values: Sequence[float | None]) -> float | None:
    """The mean of the values that are known; None where none is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
