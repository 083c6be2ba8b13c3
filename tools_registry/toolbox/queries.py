"""SQL over files that the caller has opened: DuckDB sees descriptors, never a path of the workspace."""

from __future__ import annotations

import functools
import json
import re
import secrets
from collections.abc import Iterator
from typing import Any

ROW_LIMIT = 10_000
_RESULT_LIMIT_CHARS = 4 * 1024 * 1024
_READERS = {"csv": "read_csv", "tsv": "read_csv", "json": "read_json", "jsonl": "read_json", "ndjson": "read_json",
            "parquet": "read_parquet"}  # fmt: skip
_READER_FUNCTIONS = frozenset(
    "read_csv read_csv_auto read_json read_json_auto read_ndjson read_ndjson_auto read_parquet parquet_scan".split()
)
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "threads": "1",
    "memory_limit": "512MB",
    "temp_directory": "",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}


def warm() -> None:
    """Load DuckDB."""
    _parser()


def plan(query: str) -> list[str]:
    """The file names that a query reads. Raises unless it is one SELECT."""
    return list(dict.fromkeys(name for name, *_ in _references(_parser(), _one_select(query))))


def run(query: str, files: dict[str, list[str]]) -> list[dict[str, Any]]:
    """Run one SELECT; `files` gives the opened paths for each file name that `plan` found."""
    connection = _connect([path for paths in files.values() for path in paths])
    try:
        bound = _bound(connection, _one_select(query), files)
        connection.execute("SET lock_configuration = true")
        return _rows(connection, bound)
    finally:
        connection.close()


def describe(name: str, files: dict[str, list[str]]) -> dict[str, Any]:
    """Number of rows, and name and type of every column."""
    connection = _connect(files[name])
    try:
        source = _source(name, files[name])
        columns = _execute(connection, f"DESCRIBE SELECT * FROM {source}").fetchall()
        rows = _execute(connection, f"SELECT count(*) FROM {source}").fetchall()
        return {"rows": rows[0][0], "columns": {column[0]: column[1] for column in columns}}
    finally:
        connection.close()


def _connect(allowed: list[str]) -> Any:
    import duckdb

    connection = duckdb.connect(":memory:", config=_SETTINGS)
    connection.execute(f"SET allowed_paths = [{', '.join(map(_text, allowed))}]")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_external_access = false")
    return connection


@functools.cache
def _parser() -> Any:
    """A connection that only parses; it may open nothing."""
    connection = _connect([])
    connection.execute("SET lock_configuration = true")
    return connection


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _identifier(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


def _source(name: str, paths: list[str]) -> str:
    ending = name.lower().rpartition(".")[2]
    if ending not in _READERS:
        raise ValueError(f"not a table file: {name[:80]}; tables are .csv, .tsv, .json, .jsonl and .parquet files")
    options = ", delim = '\\t'" if ending == "tsv" else ""
    options += ", union_by_name = true" if len(paths) > 1 else ""
    return f"{_READERS[ending]}([{', '.join(map(_text, paths))}]{options})"


def _references(connection: Any, query: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(file name, kind, node) for every file in the query; kind is `table` or `literal`."""
    tree = _tree(connection, query)
    for node in _nodes(tree):
        if node.get("type") == "BASE_TABLE":
            name = _file_name(node)
            if name:
                yield name, "table", node
        elif node.get("type") == "TABLE_FUNCTION" and _function_name(node) in _READER_FUNCTIONS:
            for literal in _literals(node["function"].get("arguments", [])):
                yield literal["literal"]["text"], "literal", literal


def _one_select(query: str) -> str:
    """The query without its closing semicolons. Raises unless it is one SELECT by DuckDB's own statement type."""
    import duckdb

    try:
        statements = _parser().extract_statements(query)
    except duckdb.Error as problem:
        raise ValueError(_first_lines(problem)) from None
    if len(statements) != 1:
        raise ValueError(f"write exactly one SELECT statement, not {len(statements)}")
    if statements[0].type != duckdb.StatementType.SELECT:
        kind = str(statements[0].type).rpartition(".")[2]
        raise ValueError(f"only SELECT is allowed here, not {kind}; use tables.write to write a file")
    text = query.encode()
    for start, _ in reversed(duckdb.tokenize(query)):
        if not text[start:].startswith((b";", b"--", b"/*")):
            break
        text = text[:start]
    return text.decode()


def _tree(connection: Any, query: str) -> Any:
    rows = _execute(connection, "SELECT json_serialize_sql(?::VARCHAR)", [query]).fetchall()
    tree = json.loads(rows[0][0])
    if tree.get("error"):
        raise ValueError(f"only a plain SELECT is allowed here: {str(tree.get('error_message', ''))[:200]}")
    return tree


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _file_name(node: dict[str, Any]) -> str | None:
    path = [part for part in node.get("qualified_name", {}).get("path", [node.get("table_name", "")]) if part]
    name = ".".join(path)  # FROM sales.csv without quotes is read as table csv of schema sales
    ending = name.lower().rpartition(".")[2]
    return name if "/" in name or (ending in _READERS and "." in name) else None


def _function_name(node: dict[str, Any]) -> str:
    return str(node.get("function", {}).get("function_name", "")).lower()


def _literals(arguments: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for node in _nodes(arguments[:1]):
        literal = node.get("literal")
        if isinstance(literal, dict) and literal.get("kind") == "STRING":
            yield node


def _bound(connection: Any, query: str, files: dict[str, list[str]]) -> str:
    """The query with its files bound: views for tables by file name, opened paths for arguments of readers."""
    text = query.encode()
    changes: list[tuple[int, int, bytes]] = []
    for name, kind, node in _references(connection, query):
        paths = files.get(name)
        if paths is None:
            raise ValueError(f"no such file: {name[:80]}")
        start, length = int(node["query_location"]), int(node["query_location_length"])
        if kind == "literal":
            changes.append((start, start + length, _list_literal(paths)))
            continue
        _make_view(connection, node, name, paths)
        if not node.get("alias") and not node.get("sample"):
            stem = re.sub(r"\.\w+$", "", name.rsplit("/", 1)[-1])
            changes.append((start + length, start + length, f" AS {_identifier(stem)}".encode()))
    for start, end, put in sorted(set(changes), reverse=True):
        text = text[:start] + put + text[end:]
    return text.decode()


def _list_literal(paths: list[str]) -> bytes:
    return _text(paths[0]).encode() if len(paths) == 1 else f"[{', '.join(map(_text, paths))}]".encode()


def _make_view(connection: Any, node: dict[str, Any], name: str, paths: list[str]) -> None:
    parts = [part for part in node.get("qualified_name", {}).get("path", [name]) if part]
    if len(parts) == 2:
        _execute(connection, f"CREATE SCHEMA IF NOT EXISTS {_identifier(parts[0])}")
    full_name = ".".join(map(_identifier, parts))
    _execute(connection, f"CREATE OR REPLACE VIEW {full_name} AS SELECT * FROM {_source(name, paths)}")


def _rows(connection: Any, query: str) -> list[dict[str, Any]]:
    row = f"row_{secrets.token_hex(8)}"  # no column of the query may have this name
    cursor = _execute(connection, f"SELECT to_json({row}) FROM (\n{query}\n) AS {row} LIMIT {ROW_LIMIT + 1}")
    found = cursor.fetchall()
    if len(found) > ROW_LIMIT:
        raise ValueError(f"more than {ROW_LIMIT:,} rows; add LIMIT, WHERE or GROUP BY")
    if sum(len(row[0]) for row in found) > _RESULT_LIMIT_CHARS:
        raise ValueError("the result is larger than 4 MB; select fewer columns or rows")
    return [json.loads(text, parse_constant=lambda _: None) for (text,) in found]


def _execute(connection: Any, query: str, arguments: list[Any] | None = None) -> Any:
    import duckdb

    try:
        return connection.execute(query, arguments) if arguments else connection.execute(query)
    except duckdb.Error as problem:
        raise ValueError(_first_lines(problem)) from None


def _first_lines(problem: Exception) -> str:
    """What DuckDB says, without the drawing of the query below it."""
    text = " ".join(re.split(r"\n\s*\nLINE \d+:", str(problem))[0].split())
    text = re.sub(r' Did you mean "(?:pg_|sqlite_|duckdb_|main\.|system\.)[^"]*"\?', "", text)
    if "Table with name" in text:
        text += " Tables are files: write FROM 'name.csv'."
    return text[:400]
