"""The tables server."""

from __future__ import annotations

import json
import time

import pytest

from atlas.tools_registry.toolbox import jobs


def test_describe_tells_rows_and_types(tools, fails):
    assert tools["tables.describe"]("sales.csv") == {
        "rows": 3,
        "columns": {"id": "BIGINT", "name": "VARCHAR", "amount": "DOUBLE", "day": "DATE"},
    }
    assert fails("tables.describe", "sale.csv").message == "no such file: sale.csv (did you mean sales.csv?)"
    assert fails("tables.describe", "notes.md").message.startswith("not a table file: notes.md")


def test_sql_reads_files_by_relative_name(tools, workspace):
    (workspace / "docs" / "people.json").write_text('[{"name": "Ada", "tags": ["x"]}, {"name": "Bob", "tags": null}]')
    rows = tools["tables.sql"]("SELECT name, sum(amount) AS total FROM 'sales.csv' GROUP BY name ORDER BY total DESC")
    assert rows == [{"name": "Bob", "total": 4.0}, {"name": "Ada", "total": 3.5}]
    assert tools["tables.sql"](
        "WITH p AS (SELECT * FROM 'docs/people.json') SELECT id, tags FROM p JOIN \"sales.csv\" s USING (name) ORDER BY id"
    ) == [{"id": 1, "tags": ["x"]}, {"id": 2, "tags": None}, {"id": 3, "tags": ["x"]}]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) AS n FROM 'sales.csv'",
        "select count(*) as n from sales.csv;",
        "SELECT count(*) AS n FROM './sales.csv' -- all of them",
        "SELECT count(*) AS n FROM 'sales.csv'; -- done",
        "SELECT count(sales.id) AS n FROM 'sales.csv'",
        "SELECT count(*) AS n FROM read_csv_auto('sales.csv')",
        "SELECT count(*) AS n FROM read_csv('sales.csv', header = true) AS t",
        "SELECT count(*) AS n FROM read_csv(['sales.csv'])",
        "SELECT count(*) AS n FROM 's*.csv'",
        "SELECT (SELECT count(*) FROM 'sales.csv') AS n",
        "SELECT n FROM (SELECT count(*) AS n, 'é' FROM 'sales.csv' t)",
        "FROM (SELECT 3 AS n)",
        "VALUES (3)",
    ],
)
def test_sql_takes_the_forms_that_models_write(tools, query):
    (row,) = tools["tables.sql"](query)
    assert list(row.values()) == [3]


def test_sql_keeps_the_order_of_the_query(tools):
    rows = tools["tables.sql"]("SELECT id FROM 'sales.csv' ORDER BY amount DESC")
    assert rows == [{"id": 2}, {"id": 1}, {"id": 3}]


def test_describe_and_summarize_are_allowed(tools):
    assert tools["tables.sql"]("DESCRIBE SELECT * FROM 'sales.csv'")[0]["column_name"] == "id"


def test_values_come_as_json(tools):
    (row,) = tools["tables.sql"](
        "SELECT DATE '2026-01-02' AS d, TIMESTAMP '2026-01-02 03:04:05' AS t, 1.10::DECIMAL(9, 2) AS m, 'nan'::DOUBLE AS x, "
        "TIME '10:00' AS c, [1, 2] AS l, {'a': NULL} AS s, true AS b, '2026-01-02 00:00:00+02'::TIMESTAMPTZ AS z, 1 AS row"
    )
    assert row == {
        "d": "2026-01-02", "t": "2026-01-02 03:04:05", "m": 1.1, "x": None, "c": "10:00:00", "l": [1, 2], "s": {"a": None},
        "b": True, "z": "2026-01-01 22:00:00+00", "row": 1,
    }  # fmt: skip


def test_several_files_by_pattern_are_one_table(tools, fails, workspace):
    for month, columns in (("jan", "a,b"), ("feb", "b,c")):
        (workspace / f"month-{month}.csv").write_text(f"{columns}\n1,2\n")
    rows = tools["tables.sql"]("SELECT a, b, c FROM 'month-*.csv' ORDER BY b")
    assert rows == [{"a": None, "b": 1, "c": 2}, {"a": 1, "b": 2, "c": None}]
    assert str(fails("tables.sql", "FROM 'year-*.csv'")) == "no files match: year-*.csv [not_found]"
    for number in range(30):
        (workspace / f"part-{number}.csv").write_text("a\n1\n")
    assert "at most 24" in str(fails("tables.sql", "FROM 'part-*.csv'"))


def test_a_name_that_is_there_as_it_stands_is_no_pattern(tools, workspace):
    (workspace / "month-1.csv").write_text("a\n6\n")
    (workspace / "month-[1].csv").write_text("a\n7\n")
    (workspace / "month-?.csv").write_text("a\n8\n")
    assert tools["tables.sql"]("SELECT a FROM 'month-[1].csv'") == [{"a": 7}]
    assert tools["tables.sql"]("SELECT a FROM read_csv('month-?.csv')") == [{"a": 8}]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("COPY (SELECT 1) TO 'x.csv'", "only SELECT is allowed here, not COPY; use tables.write to write a file"),
        ("ATTACH 'x.db'", "only SELECT is allowed here, not ATTACH"),
        ("INSTALL httpfs", "only SELECT is allowed here, not LOAD"),
        ("PRAGMA database_list", "only SELECT is allowed here, not PRAGMA"),
        ("SET enable_external_access = true", "only SELECT is allowed here, not SET"),
        ("CREATE TABLE t AS SELECT 1", "only SELECT is allowed here, not CREATE"),
        ("EXPLAIN SELECT 1", "only SELECT is allowed here, not EXPLAIN"),
        ("CALL pragma_version()", "only SELECT is allowed here, not CALL"),
        ("EXECUTE x", "only SELECT is allowed here, not EXECUTE"),
        ("SELECT 1; SELECT 2", "write exactly one SELECT statement, not 2"),
        ("SELECT 1; COPY (SELECT 1) TO 'x.csv'", "write exactly one SELECT statement, not 2"),
        ("", "write exactly one SELECT statement, not 0"),
        ("-- nothing", "write exactly one SELECT statement, not 0"),
        ("SELEC 1", "Parser Error: syntax error at or near"),
        ("SELECT nme FROM 'sales.csv'", 'Binder Error: Referenced column "nme" not found'),
        (
            "SELECT * FROM sales",
            "Catalog Error: Table with name sales does not exist! Tables are files: write FROM 'name.csv'.",
        ),
        ("SELECT getenv('HOME')", "Catalog Error: Scalar Function with name getenv does not exist!"),
        ("SELECT 1) UNION (SELECT 2", "Parser Error"),
    ],
)
def test_only_one_select_is_run(fails, workspace, query, said):
    error = fails("tables.sql", query)
    assert error.kind == "invalid" and error.message.startswith(said), error
    assert not (workspace / "x.csv").exists()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM '../secret.csv'",
        "SELECT * FROM read_csv('/etc/passwd', delim = ':', header = false)",
        "SELECT * FROM read_csv('../secret.txt')",
        "SELECT * FROM read_csv(['sales.csv', '/etc/passwd'])",
        "SELECT * FROM read_csv('/etc/' || 'passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_text('notes.md')",
        "SELECT * FROM read_blob('/proc/self/environ')",
        "SELECT * FROM read_json_auto('/etc/hostname')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM glob('/dev/fd/*')",
        "SELECT * FROM glob('*')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "SELECT * FROM parquet_metadata('/etc/passwd')",
        "SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
        "SELECT * FROM query_table('/etc/passwd')",
        "SELECT * FROM 'sales.csv', read_text('/dev/fd/0')",
        "SELECT * FROM 'link.csv'",
        "SELECT * FROM read_csv('link.csv')",
        "SELECT * FROM 'link*.csv'",
        "SELECT * FROM 'https://example.com/x.csv'",
        "SELECT * FROM 's3://bucket/x.parquet'",
        "SELECT * FROM read_duckdb('/etc/passwd')",
    ],
)
def test_queries_cannot_reach_outside(fails, workspace, query):
    (workspace.parent / "secret.csv").write_text("the secret\n1\n")
    (workspace / "link.csv").symlink_to("../secret.csv")
    error = fails("tables.sql", query)
    assert error.kind in ("denied", "invalid", "not_found"), error
    assert "root:" not in error.message and "the secret" not in error.message


def test_a_query_without_end_is_ended(fails, tools, monkeypatch):
    monkeypatch.setattr(jobs, "_QUERY_SECONDS", 1.0)
    started = time.monotonic()
    error = fails("tables.sql", "SELECT count(*) FROM range(1000000000000) a WHERE a.range % 7 = 3")
    assert str(error) == "the query took longer than 1 s [timeout]"
    assert time.monotonic() - started < 15
    monkeypatch.setattr(jobs, "_QUERY_SECONDS", 20.0)
    assert tools["tables.sql"]("SELECT 1 AS a") == [{"a": 1}]


def test_a_query_with_too_much_memory_or_too_many_rows_is_refused(fails):
    error = fails("tables.sql", "SELECT length(string_agg(a.range::VARCHAR || repeat('x', 1000), '')) FROM range(3000000) a")
    assert error.kind == "invalid" and error.message.startswith("Out of Memory Error"), error
    assert str(fails("tables.sql", "SELECT * FROM range(20000)")) == (
        "more than 10,000 rows; add LIMIT, WHERE or GROUP BY [invalid]"
    )
    assert "larger than 4 MB" in str(fails("tables.sql", "SELECT repeat('x', 1000) FROM range(9000)"))


def test_a_broken_table_is_named_without_paths_of_the_machine(fails, workspace):
    (workspace / "bad.json").write_text('{"a": 1')
    (workspace / "bad.parquet").write_bytes(b"PAR1 nothing PAR1")
    for name in ("bad.json", "bad.parquet"):
        error = fails("tables.describe", name)
        assert name in error.message and "/dev/fd" not in error.message and str(workspace) not in error.message, error


@pytest.mark.parametrize("ending", ["csv", "tsv", "json", "jsonl"])
def test_what_is_written_reads_back(tools, ending):
    rows = [{"name": 'Ada, "the" first', "n": 1, "ok": True}, {"name": "Bob\tB\nC", "n": None, "ok": False}]
    assert tools["tables.write"](f"out/people.{ending}", rows) == 2
    assert tools["tables.sql"](f"SELECT * FROM 'out/people.{ending}'") == rows
    assert tools["tables.describe"](f"out/people.{ending}")["rows"] == 2


def test_written_forms(tools, fails, workspace):
    rows = [{"a": 1, "b": {"x": [1]}}, {"c": "é"}]
    tools["tables.write"]("t.csv", rows)
    tools["tables.write"]("t.jsonl", rows)
    tools["tables.write"]("t.json", [])
    assert (workspace / "t.csv").read_text() == 'a,b,c\n1,"{""x"": [1]}",\n,,é\n'
    assert (workspace / "t.jsonl").read_text() == '{"a": 1, "b": {"x": [1]}}\n{"c": "é"}\n'
    assert json.loads((workspace / "t.json").read_text()) == []
    assert "tables are written as .csv" in str(fails("tables.write", "t.xlsx", rows))
    assert str(fails("tables.write", "t.csv", [1])) == "rows must be a list of dicts, not list [1] [invalid]"
    assert "cannot be written as JSON" in str(fails("tables.write", "t.json", [{"a": float("nan")}]))
