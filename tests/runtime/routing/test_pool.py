"""The `[models.<name>]` tables: what they hold, what they cost, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from atlas.commands.settings import resolve
from atlas.runtime.routing.errors import PoolError
from atlas.runtime.routing.pool import Pool, PoolModel, read_pool

FILE = Path("/etc/atlas.toml")


def pool(home: str, text: str) -> Pool:
    (Path(home) / "atlas.toml").write_text(text, encoding="utf-8")
    found = resolve(Path(home), Path(home) / "elsewhere", {}).settings.models
    assert found is not None
    return found


def test_models_are_read_in_the_order_of_the_file(atlas_home: str):
    found = pool(
        atlas_home,
        '[models.large]\nmodel = "http://127.0.0.1:1/v1#x"\ninput-price = 1\noutput_price = 2.5\n'
        '[models.small]\nmodel = "nano"\n',
    )
    assert list(found) == ["large", "small"]
    assert (found["large"].input_price, found["large"].output_price) == (1.0, 2.5)


def test_tokens_and_electricity_are_paid_for():
    model = PoolModel(model="nano", input_price=1.0, output_price=2.0, watts=100.0, usd_per_kwh=0.36)
    assert model.cost_usd(500_000, 250_000, 0) == pytest.approx(1.0)
    assert model.cost_usd(0, 0, 3_600) == pytest.approx(0.036)


def test_a_model_file_counts_from_the_folder_of_its_table(atlas_home: str):
    found = pool(
        atlas_home, '[models.a]\nmodel = "a.gguf"\n[models.b]\nmodel = "/there/b.gguf"\n[models.c]\nmodel = "hf:o/n"\n'
    )
    assert [one.model for one in found.values()] == [str(Path(atlas_home) / "a.gguf"), "/there/b.gguf", "hf:o/n"]


@pytest.mark.parametrize(
    ("table", "place", "mend"),
    [
        ({"model": "nano", "imput_price": 1}, "[models.m] imput_price", "input_price"),
        ({"model": "nano", "input_price": -1}, "[models.m] input_price", "greater than or equal to 0"),
        ({"model": "nano", "input_price": "much"}, "[models.m] input_price", "number"),
        ({"model": "nano", "output_price": float("nan")}, "[models.m] output_price", "finite"),
        ({"model": "nano", "context_tokens": 1500.5}, "[models.m] context_tokens", "integer"),
        ({"model": "nano", "context_tokens": True}, "[models.m] context_tokens", "integer"),
        ({"model": "nano", "timeout_seconds": 0}, "[models.m] timeout_seconds", "greater than 0"),
        ({"model": "nano", "api_key_variable": "KEY"}, "[models.m] api_key_variable", "endpoint"),
        ({"input_price": 1}, "[models.m]", "add model"),
        ("nano", "[models.m]", "model ="),
    ],
)
def test_a_wrong_table_is_told_with_file_table_and_key(table: object, place: str, mend: str):
    with pytest.raises(PoolError) as caught:
        read_pool(FILE, {"m": table})
    assert caught.value.where == f"{FILE}: {place}"
    assert mend in caught.value.mend


def test_a_wrong_name_and_a_pool_that_is_no_table_are_refused():
    with pytest.raises(PoolError, match="cannot name a model"):
        read_pool(FILE, {"a b": {"model": "nano"}})
    with pytest.raises(PoolError, match="holds tables"):
        read_pool(FILE, "nano")


def test_a_folder_that_is_not_trusted_brings_no_models(atlas_home: str, tmp_path: Path):
    pool(atlas_home, '[models.mine]\nmodel = "nano"\n')
    (tmp_path / "atlas.toml").write_text('[models.theirs]\nmodel = "http://evil/v1#x"\n', encoding="utf-8")
    found = resolve(Path(atlas_home), tmp_path, {})
    assert list(found.settings.models or {}) == ["mine"]
    assert "models" in found.notices[0]


def test_a_key_that_is_named_must_be_set(monkeypatch: pytest.MonkeyPatch):
    model = PoolModel(model="http://127.0.0.1:1/v1#x", api_key_variable="SOME_KEY_OF_MINE")
    monkeypatch.delenv("SOME_KEY_OF_MINE", raising=False)
    with pytest.raises(PoolError, match="SOME_KEY_OF_MINE"):
        model.api_key("here")
    monkeypatch.setenv("SOME_KEY_OF_MINE", "secret")
    assert model.api_key("here") == "secret"


def test_a_misspelt_name_is_answered_with_the_nearest():
    found = Pool({"laptop": PoolModel(model="nano"), "cloud": PoolModel(model="http://a/v1#b")})
    assert list(found.named(["cloud"])) == ["cloud"]
    with pytest.raises(PoolError) as caught:
        found.named(["labtop"])
    assert "laptop" in caught.value.mend


def test_the_key_of_the_environment_goes_to_one_host_of_a_pool_or_to_none() -> None:
    def keys(*addresses: str) -> list[str | None]:
        pool = Pool({str(number): PoolModel(model=address) for number, address in enumerate(addresses)})
        again = Pool({name: PoolModel.model_validate(one.model_dump()) for name, one in pool.items()})
        return [one.api_key("here") for one in again.values()]

    assert keys("https://a.example/v1#x", "nano", "https://a.example/v1#y") == [None, None, None]
    assert keys("https://a.example/v1#x", "nano", "https://b.example/v1#y") == ["", None, ""]
