"""What happens in a run, as typed events in the order in which it happens; the terminal view is made from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .episodes.episode import Episode


@dataclass(frozen=True, slots=True)
class Event:
    """Common to all: the episode it belongs to."""

    episode: str


@dataclass(frozen=True, slots=True)
class EpisodeStarted(Event):
    """A run begins; `resumed` when it goes on with an earlier one."""

    task: str
    model: str
    budget: int
    max_turns: int
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class StubsShown(Event):
    """The tools that the policy sees from now on, as stubs."""

    tools: tuple[str, ...]
    known: int
    """How many tools are known in all."""


@dataclass(frozen=True, slots=True)
class TurnStarted(Event):
    """The policy is asked."""

    turn: int
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class ReplyDelta(Event):
    """A piece of the reply, as it is written."""

    turn: int
    text: str


@dataclass(frozen=True, slots=True)
class ReplyFinished(Event):
    """The whole reply."""

    turn: int
    text: str
    generated_tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class ProgramStarted(Event):
    """The program of the reply is run."""

    turn: int
    program: str


@dataclass(frozen=True, slots=True)
class CallStarted(Event):
    """A tool call was allowed and is sent."""

    turn: int
    call: int
    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CallProgress(Event):
    """How far a call is, in its server's own words."""

    turn: int
    call: int
    tool: str
    progress: float
    total: float | None
    message: str | None


@dataclass(frozen=True, slots=True)
class CallFinished(Event):
    """A tool call came back, failed, or was refused before it was sent."""

    turn: int
    call: int
    tool: str
    ok: bool
    seconds: float
    value: Any = None
    error: str | None = None
    replayed: bool = False
    """True when the return was read from the journal instead of being sent again."""


@dataclass(frozen=True, slots=True)
class ApprovalAsked(Event):
    """A tool that may change something waits for a decision."""

    turn: int
    tool: str
    server: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ApprovalGiven(Event):
    """The decision on a call."""

    turn: int
    tool: str
    allowed: bool
    by: str


@dataclass(frozen=True, slots=True)
class ProgramFinished(Event):
    """The program ended; `result` is what the policy reads next, empty when the run is over."""

    turn: int
    status: str
    output: str
    error: str | None
    seconds: float
    result: str = ""


@dataclass(frozen=True, slots=True)
class Rebased(Event):
    """The prompt was written anew, because the next turn would not have fitted the budget."""

    turn: int
    before_tokens: int
    after_tokens: int


@dataclass(frozen=True, slots=True)
class Notice(Event):
    """One line for the person at the terminal: a server that cannot be reached, a check that failed."""

    text: str


@dataclass(frozen=True, slots=True)
class EpisodeFinished(Event):
    """The run is over."""

    result: Episode = field(kw_only=True)
