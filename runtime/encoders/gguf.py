"""Embeddings from a GGUF that llama.cpp runs in this process: an embedding model, or any other."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...tools_registry.encoding import Vectors, unit
from ..policies.errors import BadModelFile
from ..policies.file_hash import FileHash
from ..policies.gguf_file import GGUFHeader, read_header

_TEXT_CHARS = 8_000
_CONTEXT_TOKENS = 512


class GgufEncoder:
    """A GGUF model run for its embeddings: pooled as the file says, else the mean over the tokens."""

    def __init__(self, path: str) -> None:
        self._path = Path(path).expanduser()
        self._header = read_header(self._path)
        if self._header.text("general.type") == "adapter" or not self._header.architecture:
            raise BadModelFile("is no model", where=str(self._path), mend="give a GGUF that holds an embedding model")
        self._hash = FileHash(self._path)
        self._model: Any = None
        self._running = threading.Lock()

    @property
    def identity(self) -> str:
        """The file's hash."""
        return f"gguf:{self._hash.value}"

    def encode(self, texts: Sequence[str]) -> Vectors:
        """A row for each text, of which the first 512 tokens count. Raises `BadModelFile` for a model that gives none."""
        with self._running:
            if self._model is None:
                self._model = self._load()
            try:
                found = self._model.embed([_readable(text) for text in texts], truncate=True)
                return unit(np.array(found, np.float64).reshape(len(texts), -1))
            except (RuntimeError, ValueError) as problem:
                raise BadModelFile(
                    f"makes no embeddings: {problem}", where=str(self._path), mend="name another encoder"
                ) from None

    def _load(self) -> Any:
        from ..policies.llama_model import quiet_llama, usable_cpus

        llama = quiet_llama()
        tokens = min(_CONTEXT_TOKENS, _trained_tokens(self._header))
        pooled = self._header.number(f"{self._header.architecture}.pooling_type")
        pooling = llama.LLAMA_POOLING_TYPE_UNSPECIFIED if pooled else llama.LLAMA_POOLING_TYPE_MEAN
        try:
            return llama.Llama(
                str(self._path), embedding=True, n_ctx=tokens, n_batch=tokens, n_ubatch=tokens, verbose=False,
                n_threads=usable_cpus(), n_threads_batch=usable_cpus(), pooling_type=pooling,
            )  # fmt: skip
        except (RuntimeError, ValueError) as problem:
            raise BadModelFile(f"cannot be loaded: {problem}", where=str(self._path), mend="give another file") from None


def _trained_tokens(header: GGUFHeader) -> int:
    """More than the model was trained for would end the process inside llama.cpp."""
    return max(1, header.number(f"{header.architecture}.context_length") or _CONTEXT_TOKENS)


def _readable(text: str) -> str:
    return text[:_TEXT_CHARS].encode("utf-8", "replace").decode() or " "
