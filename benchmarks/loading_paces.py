"""How long study 3 takes on this machine: a few tasks are played, learning is reckoned by its tokens, in processor time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from loading_work import PRACTICE, STEP_ROWS, Plan, Variant, variants
from measure import children_seconds

from atlas.runtime.policies import load_policy
from atlas.training.evaluate import evaluate
from atlas.training.pace import span
from atlas.training.suites import TOOLSPACES

SECONDS_A_TOKEN = 1.0e-3
"""Of learning nano in float32 on one core with AMX, measured 2026-11-22 in processor time: rows of 170 to 2,414 tokens."""
TOKENS_A_ROW: Mapping[str, int] = {"search": 720, "servers": 1_430, "tools": 470, "eager": 1_180}
"""Of references with programs: means of eight practice tasks of each toolspace that they are from."""
JSON_TOKENS = 220
"""More in a row of single calls: the system text is longer, and results are read."""
JSON_REPLIES = 2.0
"""So many times as many replies."""
_PLAYED = 4
_START = 15.0
"""Seconds until a job is at work, its model and torch loaded."""


@dataclass(frozen=True)
class Paces:
    """Processor seconds that one task takes with programs, by toolspace."""

    played: Mapping[str, float]

    @classmethod
    def measured(cls) -> Paces:
        """With nano, searching."""
        return cls(asyncio.run(_measured()))


async def _measured() -> dict[str, float]:
    policy = load_policy("nano", threads=1)
    paces = {}
    try:
        await evaluate("worlds:20", model=policy, limit=1)  # what is loaded at the first run only
        for suite in TOOLSPACES:
            began = _spent()
            await evaluate(suite, model=policy, limit=_PLAYED)
            paces[suite] = (_spent() - began) / _PLAYED
    finally:
        await policy.aclose()
    return paces


def _spent() -> float:
    """Processor seconds of this process and of the sandboxes that it has ended; other work hardly moves them."""
    return time.process_time() + float(children_seconds())


def hours(plan: Plan, paces: Paces) -> float:
    """Machine-hours of the whole study."""
    return sum(_parts(plan, paces)) / 3600


def forecast(plan: Plan, paces: Paces) -> str:
    """The line that a study begins with."""
    bases, taught, scored = (span(part) for part in _parts(plan, paces))
    adapters = len(plan.seeds) * len(list(variants()))
    return (
        f"two bases {bases}, {adapters} adapters {taught}, their scores {scored}, {plan.jobs} at a time: "
        f"{hours(plan, paces):.1f} machine-hours where nothing else runs (a task takes "
        f"{', '.join(f'{paces.played[suite]:.1f} s with {count:,} tools' for suite, count in TOOLSPACES.items())})"
    )


def _parts(plan: Plan, paces: Paces) -> tuple[float, float, float]:
    """Seconds for the bases, for teaching the adapters, and for their scores."""
    seeds = len(plan.seeds) / plan.jobs
    taught, scored = (sum(of(plan, paces, variant) for variant in variants()) * seeds for of in (teaching, scoring))
    return 2 * plan.minutes * 60, taught, scored


def teaching(plan: Plan, paces: Paces, variant: Variant) -> float:
    """Seconds for playing the references of one adapter and learning them."""
    suites = PRACTICE[:1] if variant.loading == "eager" else PRACTICE
    each = sum(paces.played[suite] for suite in suites) / len(suites)
    tokens = TOKENS_A_ROW[variant.loading] + (JSON_TOKENS if variant.acting == "json" else 0)
    return float(_START + plan.references * each + plan.steps * STEP_ROWS * tokens * SECONDS_A_TOKEN)


def scoring(plan: Plan, paces: Paces, variant: Variant) -> float:
    """Seconds for the held-out tasks of one adapter; the toolspaces that do not fit cost nothing."""
    suites = list(TOOLSPACES)[:1] if variant.loading == "eager" else TOOLSPACES
    replies = JSON_REPLIES if variant.acting == "json" else 1.0
    return float(plan.tasks * replies * sum(paces.played[suite] for suite in suites))
