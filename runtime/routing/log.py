"""Outcomes from the episode log: which model of the pool did a task, with which servers, how well, for how much."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..episodes.codec import from_text
from .outcomes import Outcome, Pair

if TYPE_CHECKING:
    from ..episodes.store import EpisodeStore
    from .pool import Pool

SURE = {"known": 1.0, "checked": 1.0, "rated": 1.0, "judged": 0.7}
"""What an outcome counts, by who said it."""
UNSURE = 0.5
"""An answer that nobody looked at counts half as solved, and giving up half as failed; an error counts as a failure."""
_EPISODES = (
    "SELECT id, task, status, settings, total_prompt, generated, seconds, outcome, reward FROM episodes"
    " WHERE status IN ('answered', 'gave_up', 'budget', 'error') AND coalesce(split, '') != 'heldout' AND parent IS NULL"
)


@dataclass(frozen=True, slots=True)
class Logged:
    """One episode as statistics see it."""

    episode: str
    outcomes: tuple[Outcome, ...]
    """One for each server that was called; of the model alone where there was none."""

    @property
    def task(self) -> str:
        """What was to be done."""
        return self.outcomes[0].task


def logged(store: EpisodeStore, pool: Pool, episode: str | None = None) -> Iterator[Logged]:
    """The finished episodes of the pool's models, oldest first, or one of them. Held-out ones are left out."""
    one, values = (" AND id = ?", (episode,)) if episode else ("", ())
    with store.guarded():
        rows = store.connection.execute(f"{_EPISODES}{one} ORDER BY created_at, id", values).fetchall()
        called = store.connection.execute(
            "SELECT DISTINCT episode, tool FROM calls" + (" WHERE episode = ?" if episode else ""), values
        ).fetchall()
    servers: dict[str, set[str]] = {}
    for row in called:
        server, dot, _ = row["tool"].partition(".")
        if dot:
            servers.setdefault(row["episode"], set()).add(server)
    for row in rows:
        model = _member(from_text(row["settings"]), pool)
        if model is not None:
            yield Logged(row["id"], tuple(_outcomes(row, model, sorted(servers.get(row["id"], ())))))


def _member(settings: Any, pool: Pool) -> str | None:
    """The name in the pool: as routed, else of the model that was named by the same spec.

    An episode that the spending limit ended says nothing about its model.
    """
    if settings.get("acting") == "route":  # a router's own run; what it asked is there by itself
        return None
    route = settings.get("route") or {}
    if route.get("model"):
        return route["model"] if route["model"] in pool and not route.get("unpaid") else None
    spec = settings.get("model_spec")
    return next((name for name, one in pool.items() if spec and one.model == spec), None)


def _outcomes(row: Any, model: str, servers: Iterable[str]) -> Iterator[Outcome]:
    score, weight = _score(row["status"], row["outcome"], row["reward"])
    called = list(servers) or [""]
    for server in called:
        yield Outcome(
            row["task"], Pair(model, server), score, weight, row["total_prompt"], row["generated"], row["seconds"],
            share=1 / len(called),
        )  # fmt: skip


def _score(status: str, outcome: str, reward: float | None) -> tuple[float, float]:
    if outcome in SURE and reward is not None:
        return min(1.0, max(0.0, float(reward))), SURE[outcome]
    if status == "error":
        return 0.0, 1.0
    return float(status == "answered"), UNSURE
