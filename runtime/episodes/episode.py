"""What came of a run, as `Runtime.run` returns it and `atlas run --json` prints it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["answered", "gave_up", "budget", "error", "interrupted"]
OutcomeKind = Literal["known", "checked", "rated", "judged", "unknown"]
"""Who says whether the task was solved: the world it ran in, `--check`, a person, a judge, or nobody yet."""


@dataclass(frozen=True, slots=True)
class ContextUse:
    """Tokens of prompts and replies."""

    peak: int = 0
    total_prompt: int = 0
    generated: int = 0
    budget: int = 0
    counting: str = "exact"
    """How the prompt was counted: `exact`, by the `endpoint`, or by an upper `bound`."""

    def to_json(self) -> dict[str, int]:
        """The four numbers that `--json` shows."""
        return {"peak": self.peak, "total_prompt": self.total_prompt, "generated": self.generated, "budget": self.budget}


@dataclass(frozen=True, slots=True)
class Episode:
    """One finished run."""

    id: str
    status: Status
    answer: Any
    task: str
    turns: int
    programs: int
    tool_calls: int
    servers_started: tuple[str, ...]
    context: ContextUse
    seconds: float
    model: str
    adapter: str | None = None
    outcome: OutcomeKind = "unknown"
    reward: float | None = None
    """1.0 solved, 0.0 failed, None where nobody has said."""
    error: str | None = None
    """Why the run ended where that is not the policy's doing."""
    parent: str | None = None
    notes: tuple[str, ...] = field(default=())
    unreachable: tuple[str, ...] = field(default=())
    """Servers that could not be reached or broke down."""
    route: dict[str, Any] | None = None
    """Where a router chose the model: which, why, what it cost, and what was tried before."""

    @property
    def solved(self) -> bool:
        """True when the policy answered and nobody has said that the answer is wrong."""
        return self.status == "answered" and self.reward != 0.0

    def to_json(self) -> dict[str, Any]:
        """The object that `atlas run --json` prints; `route` only where a router chose."""
        return {
            "episode": self.id,
            "status": self.status,
            "answer": self.answer,
            "turns": self.turns,
            "programs": self.programs,
            "tool_calls": self.tool_calls,
            "servers_started": list(self.servers_started),
            "context": self.context.to_json(),
            "seconds": round(self.seconds, 3),
            "model": self.model,
            "adapter": self.adapter,
        } | ({"route": self.route} if self.route else {})
