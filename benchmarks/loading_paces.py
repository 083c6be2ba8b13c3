"""How long study 3 takes on this machine: a few tasks are played, learning is reckoned by its tokens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from loading_work import PRACTICE, STEP_ROWS, Plan, Variant, variants

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
_PLAYED = 3
_START = 15.0
"""Seconds until a job is at work, its model and torch loaded."""


@dataclass(frozen=True)
class Paces:
    """Seconds that one task takes with programs, by toolspace."""

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
            began = time.monotonic()
            await evaluate(suite, model=policy, limit=_PLAYED)
            paces[suite] = (time.monotonic() - began) / _PLAYED
    finally:
        await policy.aclose()
    return paces


def hours(plan: Plan, paces: Paces) -> str:
    """The line that a study begins with."""
    adapters = [(variant, seed) for variant in variants() for seed in plan.seeds]
    taught = sum(teaching(plan, paces, variant) for variant, _ in adapters) / plan.jobs
    scored = sum(scoring(plan, paces, variant) for variant, _ in adapters) / plan.jobs
    bases = 2 * plan.minutes * 60
    return (
        f"two bases {span(bases)}, {len(adapters)} adapters {span(taught)}, their scores {span(scored)}, {plan.jobs} at a "
        f"time: {(bases + taught + scored) / 3600:.1f} machine-hours (a task takes "
        f"{', '.join(f'{paces.played[suite]:.1f} s with {count:,} tools' for suite, count in TOOLSPACES.items())})"
    )


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
