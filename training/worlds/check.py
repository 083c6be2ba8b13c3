"""Did a run do what the task demanded? Compares answer and final state with those of the reference."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from .base import Task
from .rehearse import Rehearsal


def passes(task: Task, expected: Rehearsal, *, answer: Any, gave_up: bool, snapshot: dict[str, Any]) -> tuple[bool, str]:
    """Return whether a run solved `task`, and why not."""
    if snapshot != expected.snapshot:
        return False, "the final state differs: " + _difference(expected.snapshot, snapshot)
    if task.impossible:
        return (True, "") if gave_up else (False, f"no tool can do this, but it answered {answer!r}"[:300])
    if gave_up:
        return False, f"gave up: {answer!r}"[:300]
    if task.answer_matters and not same_answer(expected.answer, answer, ordered=task.ordered):
        return False, f"answered {answer!r}, expected {expected.answer!r}"[:400]
    return True, ""


def same_answer(expected: Any, got: Any, *, ordered: bool = False) -> bool:
    """Equality as a person would see it: 5, 5.0 and "5" agree; lists agree in any order unless `ordered`."""
    expected, got = _plain(expected), _plain(got)
    if isinstance(expected, bool) or isinstance(got, bool):
        return _truth(expected) == _truth(got)
    if isinstance(expected, (int, float)):
        number = _number(got)
        return number is not None and math.isclose(expected, number, rel_tol=1e-6, abs_tol=1e-6)
    if isinstance(expected, str):
        return isinstance(got, (str, int, float)) and _same_text(expected, str(got))
    if isinstance(expected, dict):
        return isinstance(got, dict) and expected.keys() == got.keys() and all(
            same_answer(expected[key], got[key], ordered=ordered) for key in expected
        )
    if isinstance(expected, list):
        return isinstance(got, list) and _same_list(expected, got, ordered)
    return bool(expected == got)


def _same_list(expected: list[Any], got: list[Any], ordered: bool) -> bool:
    if len(expected) != len(got):
        return False
    if ordered:
        return all(same_answer(one, other, ordered=True) for one, other in zip(expected, got, strict=True))
    left = list(got)
    for one in expected:
        match = next((index for index, other in enumerate(left) if same_answer(one, other)), None)
        if match is None:
            return False
        left.pop(match)
    return True


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, str) and value[:1] in "[{":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _truth(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "yes": True, "false": False, "no": False}.get(str(value).strip().lower())


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value)
    found = re.findall(r"-?\d+(?:\.\d+)?", str(value).replace(",", "")) if isinstance(value, str) else []
    return float(found[0]) if len(found) == 1 else None


def _same_text(expected: str, got: str) -> bool:
    want, have = " ".join(expected.split()).casefold(), " ".join(got.split()).casefold()
    if want == have:
        return True
    return bool(want) and re.search(rf"(?<!\w){re.escape(want)}(?!\w)", have) is not None and len(have) < len(want) + 200


def _difference(expected: dict[str, Any], got: dict[str, Any]) -> str:
    parts = []
    for key in sorted(expected.keys() | got.keys()):
        if expected.get(key) != got.get(key):
            parts.append(f"{key}: expected {expected.get(key, 'nothing')!r:.120}, found {got.get(key, 'nothing')!r:.120}")
    return "; ".join(parts)[:400]
