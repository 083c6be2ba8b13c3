"""The rows of the episode store as typed records."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import Any, cast

from .codec import from_text, unpack_floats, unpack_ids
from .episode import ContextUse, Episode, OutcomeKind, Status


@dataclass(frozen=True, slots=True)
class EpisodeRow:
    """One episode as stored."""

    id: str
    task: str
    created_at: float
    finished_at: float | None
    status: Status | None
    """None while it runs, and after its process died."""
    answer: Any
    error: str | None
    owner: str
    """The process that runs it."""
    parent: str | None
    forked_at: int | None
    atlas: str
    model: str
    base_hash: str
    adapter: str | None
    adapter_hash: str | None
    policy_version: str
    settings: dict[str, Any]
    servers_started: tuple[str, ...]
    context: ContextUse
    seconds: float
    outcome: OutcomeKind
    reward: float | None
    outcome_detail: str | None
    split: str | None
    """`heldout` episodes are never used for training."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TurnRow:
    """One turn: what the policy read and wrote, and what came of its program."""

    episode: str
    turn: int
    created_at: float
    role: str
    """`user` for the first message and after a re-base, else `result`."""
    prompt_text: str
    """What this turn added to the prompt."""
    row_start: bool
    """True where `prompt_ids` is a whole prompt: the first turn, and after a re-base."""
    prompt_ids: list[int] | None
    """Ids that this turn added after the reply before it; the whole prompt where `row_start`."""
    prompt_tokens: int
    in_view: tuple[str, ...]
    reply_text: str
    reply_ids: list[int] | None
    logprobs: list[float] | None
    logprobs_at_temperature: list[float] | None
    sampler: dict[str, Any]
    constrained: list[int]
    finish: str
    generated_tokens: int
    propose_seconds: float
    program: str | None
    reply_kind: str
    thinking: str | None
    status: str | None
    """How the program ended; None where it did not (the process died)."""
    error: dict[str, Any] | None
    output: str | None
    value: Any
    answered: bool
    program_seconds: float | None
    peak_rss_mb: float | None
    variables: dict[str, str]
    result_text: str | None
    loaded: tuple[str, ...]
    finished_at: float | None


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call of the journal; `sent_at` is None where it was refused before it was sent."""

    episode: str
    number: int
    turn: int
    position: int
    """Its place among the calls of its turn, from 0."""
    tool: str
    arguments: dict[str, Any]
    schema_hash: str
    repeatable: bool
    """True where calling twice is known to equal calling once."""
    decision: str | None
    decided_by: str | None
    sent_at: float | None
    attempts: int
    returned_at: float | None
    completed: int | None
    """Place in the order in which the calls of the episode came back."""
    ok: bool | None
    value: Any = None
    error_kind: str | None = None
    error_message: str | None = None

    @property
    def finished(self) -> bool:
        """True when the journal holds what the call returned or how it failed."""
        return self.ok is not None

    @property
    def in_flight(self) -> bool:
        """True when it was sent and nothing is known of its fate."""
        return self.sent_at is not None and self.ok is None


@dataclass(frozen=True, slots=True)
class Record:
    """Everything stored about one episode."""

    episode: EpisodeRow
    turns: list[TurnRow]
    calls: list[CallRow]
    times: dict[int, list[float]] = field(default_factory=dict)
    """What the clock said to the program of each turn."""

    def as_episode(self) -> Episode:
        """The form that a run returns; an episode whose process died counts as interrupted."""
        row = self.episode
        return Episode(
            id=row.id, status=row.status or "interrupted", answer=row.answer, task=row.task, turns=len(self.turns),
            programs=sum(turn.program is not None for turn in self.turns),
            tool_calls=sum(call.tool != "search_tools" for call in self.calls),
            servers_started=row.servers_started, context=row.context, seconds=row.seconds, model=row.model,
            adapter=row.adapter, outcome=row.outcome, reward=row.reward, error=row.error, parent=row.parent, notes=row.notes,
        )  # fmt: skip


def episode_row(row: sqlite3.Row) -> EpisodeRow:
    """One row of `episodes`."""
    settings = cast("dict[str, Any]", from_text(row["settings"]))
    return EpisodeRow(
        id=row["id"], task=row["task"], created_at=row["created_at"], finished_at=row["finished_at"],
        status=row["status"], answer=from_text(row["answer"]), error=row["error"], owner=row["owner"],
        parent=row["parent"], forked_at=row["forked_at"], atlas=row["atlas"], model=row["model"],
        base_hash=row["base_hash"], adapter=row["adapter"], adapter_hash=row["adapter_hash"],
        policy_version=row["policy_version"], settings=settings,
        servers_started=tuple(from_text(row["servers_started"])),
        context=ContextUse(row["peak"], row["total_prompt"], row["generated"], settings.get("budget", 0), row["counting"]),
        seconds=row["seconds"], outcome=row["outcome"], reward=row["reward"], outcome_detail=row["outcome_detail"],
        split=row["split"], notes=tuple(from_text(row["notes"])),
    )  # fmt: skip


def turn_row(row: sqlite3.Row) -> TurnRow:
    """One row of `turns`."""
    return TurnRow(
        episode=row["episode"], turn=row["turn"], created_at=row["created_at"], role=row["role"],
        prompt_text=row["prompt_text"], row_start=bool(row["row_start"]), prompt_ids=unpack_ids(row["prompt_ids"]),
        prompt_tokens=row["prompt_tokens"], in_view=tuple(from_text(row["in_view"])), reply_text=row["reply_text"],
        reply_ids=unpack_ids(row["reply_ids"]), logprobs=unpack_floats(row["logprobs"]),
        logprobs_at_temperature=unpack_floats(row["logprobs_at_temperature"]), sampler=from_text(row["sampler"]),
        constrained=from_text(row["constrained"]), finish=row["finish"], generated_tokens=row["generated_tokens"],
        propose_seconds=row["propose_seconds"], program=row["program"], reply_kind=row["reply_kind"],
        thinking=row["thinking"], status=row["status"], error=from_text(row["error"]), output=row["output"],
        value=from_text(row["value"]), answered=bool(row["answered"]), program_seconds=row["program_seconds"],
        peak_rss_mb=row["peak_rss_mb"], variables=from_text(row["variables"]) or {}, result_text=row["result_text"],
        loaded=tuple(from_text(row["loaded"])), finished_at=row["finished_at"],
    )  # fmt: skip


def call_row(row: sqlite3.Row) -> CallRow:
    """One row of `calls`."""
    return CallRow(
        episode=row["episode"], number=row["number"], turn=row["turn"], position=row["position"], tool=row["tool"],
        arguments=from_text(row["arguments"]), schema_hash=row["schema_hash"], repeatable=bool(row["repeatable"]),
        decision=row["decision"], decided_by=row["decided_by"], sent_at=row["sent_at"], attempts=row["attempts"],
        returned_at=row["returned_at"], completed=row["completed"], ok=None if row["ok"] is None else bool(row["ok"]),
        value=from_text(row["value"]), error_kind=row["error_kind"], error_message=row["error_message"],
    )  # fmt: skip
