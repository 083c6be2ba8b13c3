"""What a server process last wrote to its standard error, kept within bounds."""

from __future__ import annotations

import asyncio
import os
from typing import TextIO

KEPT_BYTES = 32_768
SHOWN_LINES = 12
_LINE_CHARS = 300


class StderrTail:
    """A pipe for a child's stderr whose last `KEPT_BYTES` can be read at any time."""

    def __init__(self) -> None:
        self._reading, writing = os.pipe()
        os.set_blocking(self._reading, False)
        self.file: TextIO = os.fdopen(writing, "w", encoding="utf-8")
        self._kept = bytearray()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._reading, self._read)

    def _read(self) -> None:
        try:
            while data := os.read(self._reading, 65_536):
                self._kept += data
                del self._kept[:-KEPT_BYTES]
        except BlockingIOError:
            return
        except OSError:
            pass
        self._loop.remove_reader(self._reading)  # end of file: everybody who could write is gone

    def lines(self) -> list[str]:
        """The last lines, without empty ones and control characters."""
        if self._reading >= 0:
            self._read()
        text = self._kept.decode("utf-8", "replace")
        printable = ("".join(c for c in line if c.isprintable()).strip() for line in text.splitlines())
        return [line[:_LINE_CHARS] for line in printable if line][-SHOWN_LINES:]

    def text(self) -> str:
        """Everything that is kept, as text."""
        self.lines()
        return self._kept.decode("utf-8", "replace")

    def started(self) -> None:
        """The child has its copy of the writing end: let go of ours, so that its end is seen."""
        self.file.close()

    def close(self) -> None:
        """Release both ends; what was read stays available."""
        if self._reading < 0:
            return
        self._read()
        self._loop.remove_reader(self._reading)
        os.close(self._reading)
        self._reading = -1
        self.file.close()
