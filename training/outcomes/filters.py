"""`--episodes FILTER`: which episodes to learn from, as blank-separated terms that all have to hold.

    outcome=known,rated   status=answered   model=nano   adapter=none   split=practice   id=01K2   parent=none
    task~"sales"          since=7d          until=2026-11-20            solved   failed   last=200

`=` compares (several values with commas), `!=` excludes, `~` searches (case does not count); a term with blanks is quoted.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ...runtime.episodes.rows import EpisodeRow
from ...runtime.errors import UsageError

_WHERE = "--episodes"
_FIELDS: dict[str, Callable[[EpisodeRow], str]] = {
    "outcome": lambda row: row.outcome,
    "status": lambda row: row.status or "interrupted",
    "model": lambda row: row.model,
    "adapter": lambda row: row.adapter or "none",
    "split": lambda row: row.split or "none",
    "id": lambda row: row.id,
    "parent": lambda row: row.parent or "none",
    "task": lambda row: row.task,
}
_SPANS = {"m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_TERM = re.compile(r"(\w+)(!=|=|~)(.*)", re.DOTALL)
_WORDS: dict[str, Callable[[EpisodeRow], bool]] = {
    "solved": lambda row: row.reward is not None and row.reward >= 0.5,
    "failed": lambda row: row.reward is not None and row.reward < 0.5,
}


@dataclass(frozen=True, slots=True)
class EpisodeFilter:
    """A parsed filter."""

    tests: tuple[Callable[[EpisodeRow], bool], ...] = ()
    last: int | None = None
    """Only so many of the newest episodes that pass."""

    def passes(self, row: EpisodeRow) -> bool:
        """Whether one episode passes all terms, `last` aside."""
        return all(test(row) for test in self.tests)


def parse_filter(text: str | None, *, now: float | None = None) -> EpisodeFilter:
    """The filter that `text` writes; none lets everything pass. Raises `UsageError` naming the term that is wrong."""
    try:
        terms = shlex.split(text or "")
    except ValueError as problem:
        raise UsageError(f"the filter cannot be read: {problem}", where=_WHERE, mend="close the quotes") from None
    tests: list[Callable[[EpisodeRow], bool]] = []
    last: int | None = None
    for term in terms:
        if term in _WORDS:
            tests.append(_WORDS[term])
            continue
        found = _TERM.fullmatch(term)
        if found is None:
            raise _wrong(term, "it is no name=value, and neither solved nor failed")
        name, sign, value = found.groups()
        if name == "last" and sign == "=":
            last = _count(term, value)
        elif name in ("since", "until") and sign == "=":
            tests.append(_time_test(name, term, value, time.time() if now is None else now))
        elif name in _FIELDS:
            tests.append(_field_test(name, sign, value))
        else:
            raise _wrong(term, f"known names are {', '.join([*_FIELDS, 'since', 'until', 'last'])}")
    return EpisodeFilter(tuple(tests), last)


def _field_test(name: str, sign: str, value: str) -> Callable[[EpisodeRow], bool]:
    read = _FIELDS[name]
    if sign == "~":
        wanted = value.casefold()
        return lambda row: wanted in read(row).casefold()
    values = [one.strip() for one in value.split(",")] if name != "task" else [value]
    if name in ("id", "parent"):
        upper = tuple(one.upper() for one in values)
        return lambda row: read(row).upper().startswith(upper) != (sign == "!=")
    return lambda row: (read(row) in values) != (sign == "!=")


def _time_test(name: str, term: str, value: str, now: float) -> Callable[[EpisodeRow], bool]:
    at = _moment(term, value, now)
    return (lambda row: row.created_at >= at) if name == "since" else (lambda row: row.created_at < at)


def _moment(term: str, value: str, now: float) -> float:
    ago = re.fullmatch(r"(\d+(?:\.\d+)?)([mhdw])", value)
    if ago:
        return now - float(ago.group(1)) * _SPANS[ago.group(2)]
    try:
        return datetime.fromisoformat(value).timestamp()
    except ValueError:
        raise _wrong(term, "give a date such as 2026-11-01, or 30m, 12h, 7d, 2w ago") from None


def _count(term: str, value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise _wrong(term, "give a whole number of at least 1")
    return int(value)


def _wrong(term: str, why: str) -> UsageError:
    return UsageError(
        f"the term {term!r} of the filter is not understood",
        where=_WHERE,
        mend=f'{why}; for example "outcome=rated last=200"',
    )
