"""`atlas models`: what the pool holds, and which of its models answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from atlas.cli import invoke


@pytest.fixture
def two_models(atlas_home: str, tmp_path: Path) -> Path:
    script = tmp_path / "yes.json"
    script.write_text('["yes"]', encoding="utf-8")
    file = Path(atlas_home) / "atlas.toml"
    file.write_text(
        f'[models.small]\nmodel = "scripted:{script}"\nwatts = 30\nstrengths = "says yes"\n'
        '[models.gone]\nmodel = "scripted:/nowhere/at/all.json"\noutput_price = 2\n',
        encoding="utf-8",
    )
    return file


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_list_shows_prices_and_strengths(two_models: Path, capsys: pytest.CaptureFixture[str]):
    assert invoke(["models", "list"]) == 0
    small, gone = capsys.readouterr().out.splitlines()
    assert "30 W" in small and "says yes" in small
    assert "2 out" in gone


def test_list_in_json_has_a_line_for_each_model(two_models: Path, capsys: pytest.CaptureFixture[str]):
    assert invoke(["models", "list", "--json"]) == 0
    assert [one["name"] for one in lines(capsys.readouterr().out)] == ["small", "gone"]


def test_every_model_is_tried_and_the_broken_one_says_why(two_models: Path, capsys: pytest.CaptureFixture[str]):
    assert invoke(["models", "test", "--json"]) == 2
    small, gone = lines(capsys.readouterr().out)
    assert small["ok"] is True and small["context_tokens"]
    assert gone["ok"] is False and "/nowhere/at/all.json" in str(gone["error"])


def test_a_model_is_tried_by_name(two_models: Path, capsys: pytest.CaptureFixture[str]):
    assert invoke(["models", "test", "small"]) == 0
    assert capsys.readouterr().out.startswith("ok    small")


def test_an_endpoint_that_is_down_ends_with_3(atlas_home: str, capsys: pytest.CaptureFixture[str]):
    (Path(atlas_home) / "atlas.toml").write_text('[models.down]\nmodel = "http://127.0.0.1:9/v1#x"\n', encoding="utf-8")
    assert invoke(["models", "test", "--json"]) == 3
    assert lines(capsys.readouterr().out)[0]["ok"] is False


def test_an_empty_pool_says_how_to_fill_it(atlas_home: str, capsys: pytest.CaptureFixture[str]):
    assert invoke(["models", "test"]) == 2
    assert "[models.name]" in capsys.readouterr().err


def test_servers_that_do_not_count_are_no_news_where_none_are_used(
    two_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mcp.json").write_text('{"mcpServers": {}}', encoding="utf-8")
    assert invoke(["models", "list"]) == 0
    assert "mcp.json" not in capsys.readouterr().err


def test_a_wrong_table_names_its_key(atlas_home: str, capsys: pytest.CaptureFixture[str]):
    (Path(atlas_home) / "atlas.toml").write_text('[models.x]\nmodel = "nano"\nwats = 3\n', encoding="utf-8")
    assert invoke(["models", "list"]) == 2
    assert "[models.x] wats" in capsys.readouterr().err
