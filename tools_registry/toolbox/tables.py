"""The tables server: describing, querying and writing csv, tsv, json, jsonl and parquet files."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict  # pydantic needs this one below Python 3.12

from .changes import write_text
from .entry import Entry
from .jobs import Jobs
from .rows import rows_as_text
from .workspace import Workspace

INSTRUCTIONS = "Tables in csv, tsv, json, jsonl and parquet files."
_WRITE_LIMIT_BYTES = 32 * 1024 * 1024


class TableInfo(TypedDict):
    """What `tables.describe` returns."""

    rows: int
    columns: dict[str, str]


class Tables:
    """The tools of the tables server."""

    def __init__(self, workspace: Workspace, jobs: Jobs) -> None:
        self._workspace = workspace
        self._jobs = jobs

    def entries(self) -> list[Entry]:
        """The listing, in its order."""
        return [
            Entry("describe", self.describe, reads=True),
            Entry("sql", self.sql, reads=True),
            Entry("write", self.write, idempotent=True, destroys=True),
        ]

    def describe(self, path: str) -> TableInfo:
        """Get row count and column types of a table file."""
        found = self._jobs.describe_table(self._workspace, path)
        return {"rows": found["rows"], "columns": found["columns"]}

    def sql(self, query: str) -> list[dict[str, Any]]:
        """Run a SELECT over files, like FROM 'sales.csv'."""
        return self._jobs.query(self._workspace, query)

    def write(self, path: str, rows: list[dict[str, Any]]) -> int:
        """Write rows to a csv, tsv, json or jsonl file."""
        write_text(self._workspace, path, rows_as_text(path, rows), _WRITE_LIMIT_BYTES)
        return len(rows)
