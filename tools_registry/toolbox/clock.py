"""The clock server: the time now, and arithmetic on ISO dates and times."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

from .entry import Entry
from .errors import ToolboxError
from .times import Moment, difference, parse, zone

INSTRUCTIONS = "Dates, times and timezones."
_SECONDS = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}


class Clock:
    """The tools of the clock server; `now` is replaced where a run must be repeatable."""

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        self._now = now or (lambda: datetime.now(UTC))

    def entries(self) -> list[Entry]:
        """The listing, in its order."""
        return [
            Entry("now", self.now, reads=True),
            Entry("convert", self.convert, reads=True),
            Entry("add", self.add, reads=True),
            Entry("difference", self.difference, reads=True),
        ]

    def now(self, timezone: str = "UTC") -> str:
        """Get the current date and time in a timezone."""
        return self._current().astimezone(zone(timezone)).isoformat(timespec="seconds")

    def convert(self, time: str, source: str, target: str) -> str:
        """Convert a time from one timezone to another."""
        moment = parse(time)
        start, goal = zone(source), zone(target)
        if moment.form == "date":
            raise ToolboxError(f"no time of day in {time!r}; write it like 2026-05-04 09:30")
        value = moment.on(self._current().astimezone(start).date())
        aware = value if value.tzinfo else value.replace(tzinfo=start)
        try:
            return moment.like(aware.astimezone(goal))
        except OverflowError:
            raise ToolboxError(f"out of range: {time}") from None

    def add(self, time: str, days: int = 0, hours: int = 0, minutes: int = 0) -> str:
        """Add days, hours or minutes to a date or time."""
        moment = parse(time)
        try:
            value = moment.value + timedelta(days=days, hours=hours, minutes=minutes)
        except OverflowError:
            raise ToolboxError(f"out of range: {time} plus {days} days, {hours} hours, {minutes} minutes") from None
        if moment.form == "date" and (hours or minutes):
            moment = Moment(moment.value, "minutes", "T")
        return moment.like(value)

    def difference(self, start: str, end: str, unit: Literal["days", "hours", "minutes", "seconds"] = "days") -> float:
        """Get days, hours or minutes between two times."""
        return round(difference(parse(start), parse(end)).total_seconds() / _SECONDS[unit], 10)

    def _current(self) -> datetime:
        value = self._now()
        return value if value.tzinfo else value.replace(tzinfo=UTC)
