"""Where options come from, and what a folder that is not trusted may not set."""

from __future__ import annotations

from pathlib import Path

import pytest

from atlas.cli import invoke
from atlas.commands.settings import resolve
from atlas.runtime.errors import UsageError


@pytest.fixture
def home(atlas_home: str) -> Path:
    return Path(atlas_home)


def test_flags_beat_the_folder_and_the_folder_beats_the_home(home: Path, tmp_path: Path):
    (home / "atlas.toml").write_text('model = "a.gguf"\nbudget = 100\nmax-turns = 3\n', encoding="utf-8")
    (tmp_path / "atlas.toml").write_text("budget = 200\n", encoding="utf-8")
    settings = resolve(home, tmp_path, {"seed": 5, "temperature": None}).settings
    assert (settings.model, settings.budget, settings.max_turns, settings.seed) == ("a.gguf", 200, 3, 5)


def test_an_untrusted_folder_sets_only_the_pace(home: Path, tmp_path: Path):
    (tmp_path / "atlas.toml").write_text(
        'budget = 200\nloading = "eager"\nmodel = "http://evil/v1"\napprove = "auto"\nmcp = "x.json"\ncheck = "rm"\n',
        encoding="utf-8",
    )
    found = resolve(home, tmp_path, {})
    assert (found.settings.budget, found.settings.loading) == (200, "eager")
    assert (found.settings.model, found.settings.approve, found.settings.mcp) == ("nano", "ask", ())
    assert found.settings.check is None
    (notice,) = found.notices
    assert all(word in notice for word in ("approve", "check", "mcp", "model", "atlas trust"))


def test_a_server_file_of_an_untrusted_folder_is_not_read(home: Path, tmp_path: Path):
    (tmp_path / "mcp.json").write_text("{broken", encoding="utf-8")
    found = resolve(home, tmp_path, {})
    assert found.settings.mcp == () and "mcp.json" in found.notices[0]


def test_trust_holds_for_the_content_it_was_given_for(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "atlas.toml").write_text('approve = "auto"\n', encoding="utf-8")
    (tmp_path / "mcp.json").write_text('{"mcpServers": {"time": {"command": "mcp-server-time"}}}', encoding="utf-8")
    assert invoke(["trust"]) == 0
    assert "mcp-server-time" in capsys.readouterr().err  # what trusting lets start is shown
    found = resolve(home, tmp_path, {})
    assert found.settings.approve == "auto" and found.settings.mcp == (tmp_path / "mcp.json",) and not found.notices
    (tmp_path / "atlas.toml").write_text('approve = "auto"\nmodel = "x.gguf"\n', encoding="utf-8")
    found = resolve(home, tmp_path, {})
    assert found.settings.approve == "ask" and "was changed since it was trusted" in found.notices[0]


def test_the_record_of_trust_is_private(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "atlas.toml").write_text("budget = 5\n", encoding="utf-8")
    assert invoke(["trust"]) == 0
    assert (home / "trusted.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("budget = \n", "atlas.toml"),
        ("bugdet = 5\n", "atlas.toml: bugdet"),
        ('budget = "big"\n', "atlas.toml: budget"),
        ("budget = true\n", "atlas.toml: budget"),
        ('loading = "lazy"\n', "atlas.toml: loading"),
        ("mcp = [1]\n", "atlas.toml: mcp"),
        ("no-log = true\n", "atlas.toml: no-log"),
    ],
)
def test_a_wrong_options_file_names_the_option(text: str, where: str, home: Path, tmp_path: Path):
    (home / "atlas.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        resolve(home, tmp_path, {})
    assert caught.value.where.endswith(where) and caught.value.mend


def test_the_state_folder_is_made_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from atlas.runtime.home import atlas_home

    monkeypatch.setenv("ATLAS_HOME", str(tmp_path / "deep" / "state"))
    assert atlas_home().stat().st_mode & 0o777 == 0o700


def test_a_state_folder_that_cannot_be_made_is_a_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from atlas.runtime.home import atlas_home

    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("ATLAS_HOME", str(tmp_path / "file" / "state"))
    with pytest.raises(UsageError):
        atlas_home()


def test_the_encoder_of_the_search_comes_from_its_table_the_environment_or_the_flag(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert resolve(home, tmp_path, {}).settings.search_encoder == "none"
    (home / "atlas.toml").write_text('[search]\nencoder = "models/e.gguf"\n', encoding="utf-8")
    assert resolve(home, tmp_path, {}).settings.search_encoder == str(home / "models" / "e.gguf")
    monkeypatch.setenv("ATLAS_SEARCH_ENCODER", "minilm")
    assert resolve(home, tmp_path, {}).settings.search_encoder == "minilm"
    assert resolve(home, tmp_path, {"search_encoder": "none"}).settings.search_encoder == "none"


def test_an_untrusted_folder_sets_no_encoder(home: Path, tmp_path: Path):
    (tmp_path / "atlas.toml").write_text('[search]\nencoder = "http://evil/v1"\n', encoding="utf-8")
    found = resolve(home, tmp_path, {})
    assert found.settings.search_encoder == "none" and "search_encoder" in found.notices[0]


@pytest.mark.parametrize("text", ["[search]\nencodr = 'minilm'\n", "search = 5\n", "[search]\nencoder = 5\n"])
def test_a_wrong_table_of_the_search_is_named(text: str, home: Path, tmp_path: Path):
    (home / "atlas.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        resolve(home, tmp_path, {})
    assert "atlas.toml" in caught.value.where
