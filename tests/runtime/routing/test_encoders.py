"""Encoders by choice: an endpoint's embeddings, the embeddings of a GGUF, and what is said of those that give none."""

from __future__ import annotations

import numpy as np
import pytest

from atlas.runtime.policies import nano_path
from atlas.runtime.policies.errors import EndpointBroken, EndpointDown, EndpointRefused, ModelNotFound
from atlas.runtime.routing.other_encoders import encoder_named

from ..policies.servers import Request, serving


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


def test_a_gguf_makes_embeddings():
    encoder = encoder_named(str(nano_path()))
    assert encoder is not None and encoder.identity.startswith("gguf:")
    one, again, other = encoder.encode(["count the words", "count the words", "convert 3 miles"])
    assert np.allclose(one, again, atol=1e-5)
    assert one @ other < 0.9999


def test_an_encoder_that_nobody_knows_is_refused():
    with pytest.raises(ModelNotFound, match="no encoder"):
        encoder_named("gte-large")
