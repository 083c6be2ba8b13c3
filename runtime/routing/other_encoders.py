"""Encoders by choice: an OpenAI-compatible `/v1/embeddings` endpoint, or a GGUF in this process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..policies.errors import BadModelFile, EndpointBroken, EndpointDown, EndpointRefused, ModelNotFound
from .encoder import WORDS, Encoder, Vectors, unit

_AT_ONCE = 64
_SECONDS = 120.0
_TEXT_CHARS = 8_000
_CONTEXT_TOKENS = 512


def encoder_named(spec: str) -> Encoder | None:
    """The encoder that a setting names; None for `words`, which is fitted on the tasks themselves."""
    if spec == WORDS:
        return None
    if spec.startswith(("http://", "https://")):
        return EndpointEncoder(spec, api_key=os.environ.get("ATLAS_API_KEY"))
    if not spec.endswith(".gguf"):
        raise ModelNotFound(
            f"no encoder is called {spec!r}", where="encoder", mend="give words, a .gguf file, or http://host:port/v1#model"
        )
    return GgufEncoder(spec)


class EndpointEncoder:
    """Asks an endpoint for embeddings."""

    def __init__(self, spec: str, *, api_key: str | None = None) -> None:
        from ..policies.http import split_address

        self._base, self._model = split_address(spec)
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}

    @property
    def identity(self) -> str:
        """Address and model."""
        return f"{self._base}#{self._model}"

    def encode(self, texts: Sequence[str]) -> Vectors:
        """A row for each text. Raises an `EndpointError`."""
        found: list[list[float]] = []
        for first in range(0, len(texts), _AT_ONCE):
            found += self._asked([text[:_TEXT_CHARS] or " " for text in texts[first : first + _AT_ONCE]])
        if len({len(one) for one in found}) > 1:
            raise EndpointBroken("its embeddings differ in length", where=self._base, mend="name one model: URL#model")
        return unit(np.array(found, np.float32))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Nothing: the endpoint holds the model."""
        return {}

    def _asked(self, texts: list[str]) -> list[list[float]]:
        import httpx

        from ..policies.http_wire import transport

        verify, trust_env = transport(self._base)
        try:
            with httpx.Client(headers=self._headers, timeout=_SECONDS, verify=verify, trust_env=trust_env) as client:
                answer = client.post(f"{self._base}/embeddings", json={"model": self._model, "input": texts})
        except httpx.HTTPError as problem:
            raise EndpointDown(
                f"no embeddings: {problem or type(problem).__name__}",
                where=self._base,
                mend="start the server, or use words",
            ) from None
        if answer.status_code != 200:
            raise EndpointRefused(
                f"no embeddings: status {answer.status_code}", where=self._base, mend="name a model that makes embeddings",
                status=answer.status_code,
            )  # fmt: skip
        return _rows(answer, len(texts), self._base)


def _rows(answer: Any, count: int, where: str) -> list[list[float]]:
    try:
        rows = sorted(answer.json()["data"], key=lambda one: one["index"])
        vectors = [[float(number) for number in one["embedding"]] for one in rows]
    except (ValueError, KeyError, TypeError):
        vectors = []
    if len(vectors) != count or not all(vectors) or not np.isfinite([sum(one) for one in vectors]).all():
        raise EndpointBroken("its answer holds no embeddings", where=where, mend="give the base URL of an OpenAI API")
    return vectors


class GgufEncoder:
    """A GGUF model run for its embeddings, the mean over the tokens where the file does not say otherwise."""

    def __init__(self, path: str) -> None:
        from ..policies.file_hash import FileHash
        from ..policies.llama_model import check_model

        self._path = Path(path).expanduser()
        check_model(self._path)
        self._hash = FileHash(self._path)
        self._model: Any = None

    @property
    def identity(self) -> str:
        """The file's hash."""
        return f"gguf:{self._hash.value}"

    def encode(self, texts: Sequence[str]) -> Vectors:
        """A row for each text. Raises `BadModelFile` for a model that gives none."""
        if self._model is None:
            self._model = self._load()
        try:
            found = [self._model.embed(text[:_TEXT_CHARS] or " ", truncate=True) for text in texts]
        except (RuntimeError, ValueError) as problem:
            raise BadModelFile(
                f"makes no embeddings: {problem}", where=str(self._path), mend="give an encoder, or use words"
            ) from None
        return unit(np.array(found, np.float32))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Nothing: the file holds the model."""
        return {}

    def _load(self) -> Any:
        import llama_cpp

        try:
            return llama_cpp.Llama(
                str(self._path), embedding=True, n_ctx=_CONTEXT_TOKENS, n_batch=_CONTEXT_TOKENS, verbose=False,
                pooling_type=llama_cpp.LLAMA_POOLING_TYPE_MEAN,
            )  # fmt: skip
        except (RuntimeError, ValueError) as problem:
            raise BadModelFile(f"cannot be loaded: {problem}", where=str(self._path), mend="give another file") from None
