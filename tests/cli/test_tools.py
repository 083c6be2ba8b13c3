"""`atlas tools` and `atlas doctor`: the toolspace from listings and from the toolbox, and what is wrong on a machine."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from atlas.cli import invoke

LISTINGS = [
    {
        "server": "Issue Tracker",
        "tools": [
            {
                "name": "list-issues",
                "description": "List the issues of a repository.",
                "inputSchema": {"type": "object", "properties": {"repo": {"type": "string"}}, "required": ["repo"]},
            },
            {"name": "close_issue", "description": "Close an issue.", "inputSchema": {"type": "object"}},
        ],
    },
    {
        "server": "weather",
        "tools": [
            {"name": "forecast", "description": "Get the forecast of a city.\x1b[31m", "inputSchema": {"type": "object"}}
        ],
    },
    {"server": "weather", "tools": [{"name": "forecast", "description": "Another one.", "inputSchema": {"type": "object"}}]},
]


@pytest.fixture(params=["listings.jsonl", "listings.jsonl.gz"])
def toolspace(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    text = "\n".join(json.dumps(line) for line in LISTINGS) + "\n"
    path = tmp_path / request.param
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return str(path)


def lines(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert invoke(list(arguments)) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_search_prints_the_best_tools_with_their_stubs(toolspace: str, capsys: pytest.CaptureFixture[str]):
    found = lines(capsys, "tools", "search", "list issues", "--toolspace", toolspace, "-k", "2", "--json")
    assert [list(row) for row in found] == [["tool", "server", "score", "stub"]] * 2
    assert found[0]["tool"] == "Issue_Tracker.list_issues" and found[0]["server"] == "Issue Tracker"
    assert found[0]["stub"].startswith("def Issue_Tracker.list_issues(repo: str)")
    assert found[0]["score"] >= found[1]["score"]


def test_many_queries_are_answered_at_once(toolspace: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    queries = tmp_path / "queries.jsonl"
    queries.write_text('{"id": 1, "query": "forecast"}\n\n{"id": "b", "query": "close an issue"}\n', encoding="utf-8")
    found = lines(capsys, "tools", "search", "--queries", str(queries), "--toolspace", toolspace, "-k", "1")
    assert [(row["id"], row["results"][0]["tool"]) for row in found] == [
        (1, "weather.forecast"),
        ("b", "Issue_Tracker.close_issue"),
    ]
    assert list(found[0]["results"][0]) == ["tool", "server", "score"]


def test_a_task_gets_the_tools_that_a_run_would_show(toolspace: str, capsys: pytest.CaptureFixture[str]):
    found = lines(capsys, "tools", "search", "Is it warm?", "--task", "--toolspace", toolspace, "--json")
    assert len(found) == 4  # fewer tools than a first view holds: all of them


def test_list_keeps_servers_of_one_name_apart_and_control_characters_out(toolspace: str, capsys: pytest.CaptureFixture[str]):
    assert invoke(["tools", "list", "--toolspace", toolspace]) == 0
    out = capsys.readouterr().out
    assert "weather.forecast" in out and "weather_2.forecast" in out and "\x1b" not in out


def test_show_names_the_nearest_tool(toolspace: str, capsys: pytest.CaptureFixture[str]):
    assert invoke(["tools", "show", "weather.forcast", "--toolspace", toolspace]) == 2
    assert "weather.forecast" in capsys.readouterr().err


def test_the_toolbox_is_there_without_any_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    servers = {row["tool"].split(".")[0] for row in lines(capsys, "tools", "list", "--json")}
    assert servers == {"files", "text", "tables", "clock", "units"}
    (tool,) = lines(capsys, "tools", "show", "files.find", "--json")
    assert tool["read_only"] and tool["stub"].startswith("def files.find(pattern: str)")


def test_doctor_says_what_holds_and_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "replies.json").write_text('["answer(1)"]', encoding="utf-8")
    found = lines(capsys, "doctor", "--model", "scripted:replies.json", "--json")
    assert all(list(row) == ["check", "state", "detail", "mend"] for row in found)
    assert {"atlas", "packages", "disk", "sandbox seccomp", "model", "servers"} <= {row["check"] for row in found}
    (tmp_path / "broken.gguf").write_bytes(b"no model")
    (tmp_path / "servers.json").write_text('{"mcpServers": {"ghost": {"command": "no-such-program"}}}', encoding="utf-8")
    assert invoke(["doctor", "--model", "broken.gguf", "--mcp", "servers.json"]) == 2
    out = capsys.readouterr().out
    assert "FAIL  model" in out and "FAIL  server ghost" in out and "->" in out
