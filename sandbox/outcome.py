"""What came of one program."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["ok", "error", "refused", "limit", "killed"]


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """Why a program did not end well: the exception's type (or the budget's name), its text, the program's line."""

    type: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line is not None else ""
        return f"{place}{self.type}: {self.message}"


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One tool call, in the order in which the program made them; `id` counts from 1 within its worker."""

    tool: str
    arguments: dict[str, Any]
    ok: bool
    seconds: float
    id: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one program.

    `status` is `ok`, `error` (the program raised), `refused` (rejected before anything ran), `limit` (a budget ended
    it; `error.type` names the budget) or `killed` (any other death of the worker).
    """

    status: Status
    value: Any = None
    """The argument of the last `answer(...)`, else the value of a trailing expression; always JSON-able."""
    answered: bool = False
    output: str = ""
    error: ErrorInfo | None = None
    calls: list[CallRecord] = field(default_factory=list)
    seconds: float = 0.0
    peak_rss_mb: float = 0.0
    variables: dict[str, str] = field(default_factory=dict)
    """Name -> shape and head of what is alive for the next program, for example `list of 2: ['a', 'b']`."""
    lost: tuple[str, ...] = ()
    """Names that earlier programs made and that died with their worker, in this run or just before it."""
