"""The units server: converting a value from one unit to another."""

from __future__ import annotations

from .entry import Entry
from .jobs import Jobs

INSTRUCTIONS = "Conversion between units of measurement."


class Units:
    """The tool of the units server."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    def entries(self) -> list[Entry]:
        """The listing."""
        return [Entry("convert", self.convert, reads=True)]

    def convert(self, value: float, source: str, target: str) -> float:
        """Convert a value between units, like km to mile."""
        return float(self._jobs.measures("convert", value=float(value), source=source, target=target))
