"""JSON lines into Parquet files with named columns, by DuckDB."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_LARGEST_LINE_BYTES = 1 << 30


def write_parquet(lines: Path, columns: Mapping[str, str], target: Path) -> None:
    """Write a file of JSON lines as Parquet; `columns` are names and DuckDB types, in order."""
    import duckdb

    named = ", ".join(f"'{name}': '{kind}'" for name, kind in columns.items())
    read = f"read_json(?, format='newline_delimited', columns={{{named}}}, maximum_object_size={_LARGEST_LINE_BYTES})"
    quoted = str(target).replace("'", "''")
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        connection.execute(f"COPY (SELECT * FROM {read}) TO '{quoted}' (FORMAT parquet, COMPRESSION zstd)", [str(lines)])
