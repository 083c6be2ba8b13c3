"""Does the trainer compute the same policy as llama.cpp? Both score the same token ids; the differences are the answer.

Sequences are read whole, each into an empty cache (prefix reuse off). What quantised weights leave between the two comes
from llama.cpp's kernels, which round activations as well; so an adapter is held to what its base alone leaves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ..base.policy import BasePolicy
from ..errors import ParityError

if TYPE_CHECKING:
    from ...runtime.policies.llama_model import LlamaModel

Values = npt.NDArray[np.float64]
KvType = Literal["f32", "f16"]
LIMIT_K3 = 1e-2
_LIMIT_MEAN = {"F32": 1e-5, "F16": 2e-3, "BF16": 2e-3}
_QUANTISED_MEAN = 0.03
_ROWS = 64
"""Logits turned into log-probabilities at a time: a row of a large vocabulary takes a megabyte in double precision."""
_OVER_BASE = 2.0
"""An adapter may leave this many times what its base alone leaves."""


@dataclass(frozen=True, slots=True)
class Differences:
    """Log-probabilities of the trainer minus those of llama.cpp, over all scored tokens."""

    tokens: int
    mean: float
    """Of the absolute differences, in nats."""
    maximum: float
    k3: float
    """mean(exp(d) - d - 1), the divergence that the preflight of a training run looks at."""

    def __str__(self) -> str:
        return f"mean {self.mean:.2g}, largest {self.maximum:.2g}, k3 {self.k3:.2g} over {self.tokens:,} tokens"

    def to_json(self) -> dict[str, float]:
        """As kept in `adapter.json`."""
        return {"tokens": self.tokens, "mean": self.mean, "maximum": self.maximum, "k3": self.k3}


@dataclass(frozen=True, slots=True)
class Parity:
    """How well the two agree with the adapter, and without it."""

    adapted: Differences
    base: Differences
    weights: str
    """The commonest type of the base's matrices, such as `Q8_0`."""
    kv: KvType = "f32"

    @property
    def limit_mean(self) -> float:
        """What the adapter may leave on average: the figure for such weights, or what its base leaves, with a margin."""
        return max(_LIMIT_MEAN.get(self.weights, _QUANTISED_MEAN), _OVER_BASE * self.base.mean)

    @property
    def agrees(self) -> bool:
        """True where the export computes the trained policy."""
        return self.adapted.k3 <= LIMIT_K3 and self.base.k3 <= LIMIT_K3 and self.adapted.mean <= self.limit_mean

    def check(self, where: str) -> None:
        """Raise `ParityError` with the figures where the two disagree."""
        if self.agrees:
            return
        at_fault = "the base alone" if self.base.k3 > LIMIT_K3 else "the adapter"
        raise ParityError(
            f"trainer and llama.cpp disagree about {at_fault}: with adapter {self.adapted}; without {self.base}; allowed "
            f"are a mean of {self.limit_mean:.2g} and a k3 of {LIMIT_K3:g} ({self.weights} weights)",
            where=where,
            mend="nothing was exported; check that the base model is the file that is served",
        )

    def to_json(self) -> dict[str, Any]:
        """As kept in `adapter.json`."""
        return {
            "adapted": self.adapted.to_json(), "base": self.base.to_json(), "weights": self.weights, "kv": self.kv,
            "limit_mean": self.limit_mean,
        }  # fmt: skip


def parity(
    base: BasePolicy, model: Any, adapter_gguf: Path, base_gguf: Path, id_sequences: Sequence[Sequence[int]],
    *, kv: KvType = "f32",
) -> Parity:  # fmt: skip
    """Score real id sequences (at most a few dozen are needed) with the trainer and with llama.cpp, and compare.

    `model` is the peft model whose export is `adapter_gguf`. Raises `ParityError` where there is nothing to compare.
    """
    sequences = [list(ids) for ids in id_sequences if len(ids) >= 2]
    if not sequences:
        raise ParityError("no token sequence to compare on", where=str(adapter_gguf), mend="give logged episodes")
    served = Served(base_gguf, tokens=max(map(len, sequences)), kv=kv)
    try:
        with model.disable_adapter():
            alone = compare(trainer_logprobs(model, sequences), served.logprobs(sequences))
        served.use(adapter_gguf)
        adapted = compare(trainer_logprobs(model, sequences), served.logprobs(sequences))
    finally:
        served.close()
    return Parity(adapted, alone, weight_type(base_gguf), kv)


def compare(trainer: Sequence[Values], served: Sequence[Values]) -> Differences:
    """The differences over all tokens of all sequences."""
    d = np.concatenate(list(trainer)) - np.concatenate(list(served))
    if not np.isfinite(d).all():
        return Differences(d.size, math.inf, math.inf, math.inf)
    return Differences(d.size, float(np.abs(d).mean()), float(np.abs(d).max()), float((np.exp(d) - d - 1).mean()))


def trainer_logprobs(model: Any, sequences: Sequence[Sequence[int]]) -> list[Values]:
    """The log-probability of every token after the first, by the torch model in evaluation mode."""
    import torch

    training, found = model.training, []
    model.eval()
    try:
        with torch.no_grad():
            for sequence in sequences:
                row = torch.tensor([list(sequence)], device=next(model.parameters()).device)
                logits = model(input_ids=row, use_cache=False).logits[0, :-1]
                pieces = zip(torch.split(logits, _ROWS), torch.split(row[0, 1:, None], _ROWS), strict=True)
                picked = torch.cat([piece.double().log_softmax(-1).gather(1, ids) for piece, ids in pieces])[:, 0]
                found.append(picked.cpu().numpy())
    finally:
        model.train(training)
    return found


class Served:
    """The GGUF in llama.cpp with a context of its own, made to score whole sequences."""

    def __init__(self, path: Path, *, tokens: int, kv: KvType = "f32") -> None:
        from ...runtime.policies.llama_model import LlamaModel

        self._model: LlamaModel = LlamaModel(path, context_tokens=max(tokens, 16), kv_type=kv)

    def use(self, adapter: Path | None) -> None:
        """Apply an adapter, or none."""
        self._model.use_adapter(adapter)

    def logprobs(self, sequences: Sequence[Sequence[int]]) -> list[Values]:
        """The log-probability of every token after the first, each sequence read into an empty cache."""
        return [np.concatenate(list(self._scored(list(ids)))) for ids in sequences]

    def close(self) -> None:
        """Free the model."""
        self._model.close()

    def _scored(self, ids: list[int]) -> Iterator[Values]:
        if len(ids) > self._model.context_length:
            raise ParityError(
                f"a sequence of {len(ids)} tokens does not fit the model's context of {self._model.context_length}",
                where=str(self._model.path),
                mend="compare on shorter episodes",
            )
        self._model.forget()
        for first, logits in self._model.all_logits(ids):
            for start in range(0, len(logits), _ROWS):
                following = ids[first + start + 1 : first + start + 1 + len(logits[start : start + _ROWS])]
                values = logits[start : start + len(following)].astype(np.float64)
                top = values.max(axis=1, keepdims=True, initial=-np.inf)
                total = np.log(np.exp(values - top).sum(axis=1)) + top[:, 0]
                yield values[np.arange(len(following)), following] - total


def weight_type(path: Path) -> str:
    """The commonest type of the matrices in a GGUF."""
    import gguf

    matrices = [tensor for tensor in gguf.GGUFReader(path).tensors if len(tensor.shape) > 1]
    sizes: dict[str, int] = {}
    for tensor in matrices:
        sizes[tensor.tensor_type.name] = sizes.get(tensor.tensor_type.name, 0) + int(tensor.n_elements)
    return max(sizes, key=lambda name: sizes[name])
