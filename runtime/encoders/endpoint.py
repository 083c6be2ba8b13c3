"""Embeddings from an OpenAI-compatible endpoint, `/v1/embeddings`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...tools_registry.encoding import Vectors, unit
from ..policies.errors import EndpointBroken, EndpointDown, EndpointRefused
from ..policies.http import split_address
from ..policies.http_wire import transport

_AT_ONCE = 64
_SECONDS = 120.0
_QUERY_TEXTS = 32
"""So few texts are a question that somebody waits for ..."""
_QUERY_SECONDS = 10.0
"""... so long."""
_TEXT_CHARS = 8_000
_ANSWER_BYTES = 64_000_000


class EndpointEncoder:
    """Asks an endpoint for embeddings."""

    def __init__(self, spec: str, *, api_key: str | None = None) -> None:
        self._base, self._model = split_address(spec)
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}

    @property
    def identity(self) -> str:
        """Address and model."""
        return f"{self._base}#{self._model}"

    def encode(self, texts: Sequence[str]) -> Vectors:
        """A row for each text. Raises an `EndpointError`."""
        import httpx

        found: list[list[float]] = []
        verify, trust_env = transport(self._base)
        seconds = _QUERY_SECONDS if len(texts) <= _QUERY_TEXTS else _SECONDS
        try:
            with httpx.Client(headers=self._headers, timeout=seconds, verify=verify, trust_env=trust_env) as client:
                for first in range(0, len(texts), _AT_ONCE):
                    found += self._asked(client, [text[:_TEXT_CHARS] or " " for text in texts[first : first + _AT_ONCE]])
        except httpx.HTTPError as problem:
            raise EndpointDown(
                f"no embeddings: {problem or type(problem).__name__}", where=self._base,
                mend="start the server, or name another encoder",
            ) from None  # fmt: skip
        if len({len(one) for one in found}) > 1:
            raise EndpointBroken("its embeddings differ in length", where=self._base, mend="name one model: URL#model")
        return unit(np.array(found, np.float64).reshape(len(texts), -1 if found else 0))

    def _asked(self, client: Any, texts: list[str]) -> list[list[float]]:
        with client.stream("POST", f"{self._base}/embeddings", json={"model": self._model, "input": texts}) as answer:
            if answer.status_code != 200:
                raise EndpointRefused(
                    f"no embeddings: status {answer.status_code}", where=self._base,
                    mend="name a model that makes embeddings", status=answer.status_code,
                )  # fmt: skip
            body = bytearray()
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > _ANSWER_BYTES:
                    break
        return _rows(bytes(body), len(texts), self._base)


def _rows(body: bytes, count: int, where: str) -> list[list[float]]:
    try:
        rows = sorted(json.loads(body)["data"], key=lambda one: one["index"])
        vectors = [[float(number) for number in one["embedding"]] for one in rows]
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        vectors = []
    if len(vectors) != count or not all(vectors) or not all(np.isfinite(one).all() for one in vectors):
        raise EndpointBroken("its answer holds no embeddings", where=where, mend="give the base URL of an OpenAI API")
    return vectors
