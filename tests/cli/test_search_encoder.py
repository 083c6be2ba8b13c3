"""Finding tools by meaning from the command line: an encoder of choice, and what is said where it fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from atlas.cli import invoke
from atlas.commands.checks import search
from atlas.commands.settings import Settings

from ..runtime.policies.servers import Request, serving

IDEAS = (("rain", "weather", "forecast"), ("letter", "mail", "message"))


def embeddings(request: Request) -> None:
    """An endpoint that knows two ideas."""
    words = [text.lower().replace(".", "").replace(":", "").split() for text in request.body["input"]]
    rows = [[0.01 + sum(word in idea for word in said) for idea in IDEAS] for said in words]
    request.answer({"data": [{"index": place, "embedding": row} for place, row in enumerate(rows)]})


@pytest.fixture
def listings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    names = {"sky": ("get_forecast", "The weather."), "post": ("send_it", "Send mail."), "sums": ("add", "Add numbers.")}
    rows = [
        {"server": server, "tools": [{"name": name, "description": text, "inputSchema": {"type": "object"}}]}
        for server, (name, text) in names.items()
    ]
    (tmp_path / "space.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return "space.jsonl"


def test_tools_are_found_by_meaning_with_an_endpoint(listings: str, capsys: pytest.CaptureFixture[str]):
    asked = ["tools", "search", "rain", "--toolspace", listings, "-k", "1", "--json"]
    assert invoke(asked) == 0 and capsys.readouterr().out == ""
    with serving(embeddings) as address:
        for _ in range(2):
            assert invoke([*asked, "--search-encoder", f"{address}/v1#e"]) == 0
            assert json.loads(capsys.readouterr().out)["tool"] == "sky.get_forecast"


def test_an_endpoint_that_is_down_is_said_and_words_find_what_they_find(listings: str, capsys: pytest.CaptureFixture[str]):
    with serving(embeddings) as address:
        pass
    asked = ["tools", "search", "weather", "--toolspace", listings, "--json", "--search-encoder", f"{address}/v1#e"]
    assert invoke(asked) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["tool"] == "sky.get_forecast"
    assert "searched by words only" in said.err and address in said.err


def test_an_encoder_that_is_none_is_an_error_with_its_mend(listings: str, capsys: pytest.CaptureFixture[str]):
    assert invoke(["tools", "search", "x", "--toolspace", listings, "--json", "--search-encoder", "gte-large"]) == 2
    assert "minilm" in json.loads(capsys.readouterr().out)["error"]["mend"]


def test_the_doctor_asks_the_encoder_for_a_vector():
    with serving(embeddings) as address:
        (fine,) = search(Settings(search_encoder=f"{address}/v1#e"))
    (down,) = search(Settings(search_encoder=f"{address}/v1#e"))
    (words,) = search(Settings())
    assert (fine.state, down.state, words.state) == ("ok", "wrong", "ok")
    assert "2 numbers" in fine.detail and down.exit_code == 3 and words.detail.startswith("by words")
