"""The text server: counting, searching and replacing in text files."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict  # pydantic needs this one below Python 3.12

from .changes import write_text
from .entry import Entry
from .errors import ToolboxError
from .jobs import Jobs
from .workspace import Workspace

INSTRUCTIONS = "Count, search and replace in text files."
_TEXT_LIMIT_BYTES = 32 * 1024 * 1024


class Match(TypedDict):
    """A line that matches."""

    line: int
    text: str


class Text:
    """The tools of the text server."""

    def __init__(self, workspace: Workspace, jobs: Jobs) -> None:
        self._workspace = workspace
        self._jobs = jobs

    def entries(self) -> list[Entry]:
        """The listing, in its order."""
        return [
            Entry("count", self.count, reads=True),
            Entry("search", self.search, reads=True),
            Entry("replace", self.replace, destroys=True),
            Entry("extract", self.extract, reads=True),
        ]

    def count(self, path: str, what: Literal["lines", "words", "chars"] = "words") -> int:
        """Count lines, words or characters of a file."""
        text = self._read(path)
        if what == "lines":
            return text.count("\n") + (1 if text and not text.endswith("\n") else 0)
        if what == "words":
            return len(text.split())
        if what == "chars":
            return len(text)
        raise ToolboxError(f"cannot count {str(what)[:40]!r}; what is lines, words or chars")

    def search(self, path: str, pattern: str, ignore_case: bool = False) -> list[Match]:
        """Find the lines that match a regex."""
        found = self._jobs.patterns("search", text=self._read(path), pattern=pattern, ignore_case=ignore_case)
        return [{"line": line, "text": text} for line, text in found]

    def replace(self, path: str, old: str, new: str) -> int:
        """Replace text everywhere in a file; returns how often."""
        if not old:
            raise ToolboxError("the text to replace is empty")
        text = self._workspace.read_text(path)
        count = text.count(old)
        if count:
            write_text(self._workspace, path, text.replace(old, new))
        return count

    def extract(self, path: str, pattern: str) -> list[str]:
        """Get all regex matches in a file."""
        return list(self._jobs.patterns("extract", text=self._read(path), pattern=pattern))

    def _read(self, path: str) -> str:
        return self._workspace.read_text(path, _TEXT_LIMIT_BYTES)
