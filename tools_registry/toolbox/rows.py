"""Rows as the text of a csv, tsv, json or jsonl file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import ToolboxError


def rows_as_text(path: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """The content of a table file; its form by the ending of `path`."""
    if not all(isinstance(row, Mapping) for row in rows):
        raise ToolboxError('rows must be a list of dicts, like [{"name": "Ada", "age": 36}]')
    ending = path.lower().rpartition(".")[2] if "." in path else ""
    if ending in ("csv", "tsv"):
        return _separated(rows, "," if ending == "csv" else "\t")
    if ending == "json":
        return "[\n" + ",\n".join(_line(row) for row in rows) + "\n]\n" if rows else "[]\n"
    if ending in ("jsonl", "ndjson"):
        return "".join(_line(row) + "\n" for row in rows)
    raise ToolboxError(f"unknown ending: {path[-60:]}; tables are written as .csv, .tsv, .json or .jsonl")


def _line(row: Mapping[str, Any]) -> str:
    try:
        return json.dumps(row, ensure_ascii=False, allow_nan=False)
    except (ValueError, TypeError) as problem:
        raise ToolboxError(f"a row cannot be written as JSON: {problem}") from None


def _separated(rows: Sequence[Mapping[str, Any]], separator: str) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    if columns:
        writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in columns])
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else value
