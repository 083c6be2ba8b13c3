"""Forward and backward over a prefix tree with any Llama, Qwen2 or Qwen3 model of transformers, wrapped by peft or not.

The tree is walked depth first. A part that others go on from (a shared prefix) keeps its graph; its keys and values go to
them as leaves that gather gradients, and its backward pass runs when the last of them is done. So every token is computed
once, and only the graphs of one path are in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..errors import BaseModelError, SettingsError
from .attention import NAME, Plan, attend, plan
from .critic import Critic
from .fast import fast_modules
from .head import Slope, score
from .terms import Floats, Terms, needed, sources
from .tree import Forest, Part, grow, partition

Cache = list[tuple[Tensor, Tensor]]
"""Keys and values of one part, a pair for each layer."""
_FAMILIES = ("llama", "qwen2", "qwen3")


@dataclass(frozen=True, slots=True)
class Pass:
    """What one walk over the rows gave."""

    logprobs: Floats
    """Of each term."""
    values: Floats
    """Of the state that each term was sampled in; 0 without a critic."""
    tokens: int
    """Tokens that were computed."""
    row_tokens: int
    """Tokens that the rows hold up to their last term: what would be computed without sharing."""


class Runner:
    """Computes log-probabilities and gradients of terms over rows."""

    def __init__(
        self, model: nn.Module, *, share: bool = True, block_tokens: int = 1024, gradient_checkpointing: bool = False
    ) -> None:
        self.model = model
        self._causal = _causal(model)
        self._decoder: Any = self._causal.model
        self._config = self._causal.config
        self._share = share
        self._block_tokens = block_tokens
        self._checkpointing = gradient_checkpointing
        _register()

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        device: torch.device = self._decoder.embed_tokens.weight.device
        return device

    @property
    def width(self) -> int:
        """Numbers in a state."""
        return int(self._config.hidden_size)

    @property
    def vocabulary(self) -> int:
        """Ids that the model knows."""
        return int(self._decoder.embed_tokens.weight.shape[0])

    def run(
        self, ids: Sequence[Sequence[int]], terms: Terms, slope: Slope | None, critic: Critic | None = None
    ) -> Pass:
        """Score the terms over rows given by their ids; with `slope` the gradients of the parameters are added to."""
        forest = grow(ids, share=self._share)
        self._check(ids)
        walk = _Walk(self, forest, terms, slope, critic)
        with _attention_of_ours(self._config), fast_modules(self._decoder), torch.set_grad_enabled(slope is not None):
            for part in partition(forest.roots, self._block_tokens):
                walk.visit(part, [])
        return Pass(walk.logprobs, walk.values, forest.tokens, sum(map(len, ids)))

    def forward(self, part: Part, path: Sequence[Cache], layout: Plan) -> tuple[Tensor, Cache]:
        """Hidden states of a part (before the last norm) and its own keys and values."""
        device = self.device
        ids = torch.as_tensor(np.concatenate([node.ids for node in part.nodes]), device=device)[None]
        places = np.concatenate([np.arange(node.start, node.start + node.size) for node in part.nodes])
        positions = torch.as_tensor(places, device=device)[None]
        hidden = self._decoder.embed_tokens(ids)
        turned = self._decoder.rotary_emb(hidden, positions)
        cache: Cache = []
        for number, layer in enumerate(self._decoder.layers):
            before = [tensor for piece in path for tensor in piece[number]]
            if self._checkpointing and torch.is_grad_enabled():
                hidden, key, value = checkpoint(_layer, layer, turned, layout, hidden, *before, use_reentrant=False)
            else:
                hidden, key, value = _layer(layer, turned, layout, hidden, *before)
            cache.append((key, value))
        return hidden, cache

    def normed(self, hidden: Tensor) -> Tensor:
        """The states that the head reads."""
        return self._decoder.norm(hidden)  # type: ignore[no-any-return]

    @property
    def head(self) -> nn.Module:
        """From states to logits."""
        head: nn.Module = self._causal.lm_head
        return head

    def _check(self, ids: Sequence[Sequence[int]]) -> None:
        longest = max(map(len, ids), default=0)
        window = getattr(self._config, "sliding_window", None)
        sliding = "sliding_attention" in (getattr(self._config, "layer_types", None) or ())
        if sliding and window and longest > window:
            raise SettingsError(
                f"a row has {longest} tokens, and this model looks back {window} in some layers", where="sliding_window",
                mend="leave out longer episodes, or lower the token budget of runs",
            )  # fmt: skip
        limit = getattr(self._config, "max_position_embeddings", None)
        if limit and longest > limit:
            raise SettingsError(
                f"a row has {longest} tokens, and the model was made for {limit}", where="max_position_embeddings",
                mend="leave out longer episodes",
            )  # fmt: skip


class _Walk:
    """One pass over a forest, depth first."""

    def __init__(
        self, runner: Runner, forest: Forest, terms: Terms, slope: Slope | None, critic: Critic | None
    ) -> None:
        self._runner = runner
        self._terms = terms
        self._slope = slope
        self._critic = critic
        self._nodes, self._offsets = sources(forest, terms)
        self._order = np.argsort(self._nodes, kind="stable")
        self._sorted = self._nodes[self._order]
        self._dtype = runner._decoder.embed_tokens.weight.dtype
        self.logprobs = np.zeros(len(terms))
        self.values = np.zeros(len(terms))

    def visit(self, part: Part, path: list[Cache]) -> None:
        """Compute a part and all that goes on from it."""
        before = sum(piece[0][0].shape[2] for piece in path)
        layout = plan(part, before, self._runner.device, self._dtype)
        hidden, cache = self._runner.forward(part, path, layout)
        read, pull = self._score(part, layout, hidden)
        if not part.inner:
            if pull is not None and read.requires_grad:
                torch.autograd.backward(read, pull)
            return
        leaves = [(_leaf(key), _leaf(value)) for key, value in cache]
        if self._slope is None:
            cache.clear()
        for inner in part.inner:
            self.visit(inner, [*path, leaves])
        if self._slope is not None:
            self._backward(cache, leaves, read, pull)

    def _backward(self, cache: Cache, leaves: Cache, read: Tensor, pull: Tensor | None) -> None:
        """The backward pass of a shared part, with what came back to its keys and values."""
        outputs = [tensor for pair in cache for tensor in pair]
        gradients = [leaf.grad for pair in leaves for leaf in pair]
        pairs = [(out, grad) for out, grad in zip(outputs, gradients, strict=True) if grad is not None and out.requires_grad]
        if pull is not None and read.requires_grad:
            pairs.append((read, pull))
        if pairs:
            torch.autograd.backward([out for out, _ in pairs], [grad for _, grad in pairs])

    def _score(self, part: Part, layout: Plan, hidden: Tensor) -> tuple[Tensor, Tensor | None]:
        """Score the terms of a part: the states they were read from, and the derivative of the loss by these."""
        bounds = np.searchsorted(self._sorted, [part.nodes[0].index, part.nodes[-1].index + 1])
        mine = self._order[bounds[0] : bounds[1]]
        if not len(mine):
            return hidden, None
        starts = np.full(part.nodes[-1].index + 1 - part.nodes[0].index, 0)
        for node in part.nodes:
            starts[node.index - part.nodes[0].index] = layout.offsets[node.index]
        tokens = starts[self._nodes[mine] - part.nodes[0].index] + self._offsets[mine]
        order = np.argsort(tokens, kind="stable")
        mine, tokens = mine[order], tokens[order]
        places, at = np.unique(tokens, return_inverse=True)
        read = self._runner.normed(hidden[0, torch.as_tensor(places, device=hidden.device)])
        scores, values, pull = score(
            self._runner.head, read.detach(), at, self._terms.where(mine), self._slope, self._runner.vocabulary,
            self._critic,
        )  # fmt: skip
        self.logprobs[mine], self.values[mine] = scores, values
        return read, pull


class _Recorder:
    """Stands where a layer expects a cache: gives it keys and values of the whole path, and keeps its own."""

    def __init__(self, before: Sequence[Tensor]) -> None:
        self._before = before
        self.key: Tensor | None = None
        self.value: Tensor | None = None

    def update(self, key: Tensor, value: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        self.key, self.value = key, value
        if not self._before:
            return key, value
        return torch.cat([*self._before[0::2], key], 2), torch.cat([*self._before[1::2], value], 2)


def _layer(
    layer: Callable[..., Tensor], turned: tuple[Tensor, Tensor], layout: Plan, hidden: Tensor, *before: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    recorder = _Recorder(before)
    hidden = layer(
        hidden, attention_mask=None, position_embeddings=turned, past_key_values=recorder, tree_plan=layout, use_cache=True
    )
    assert recorder.key is not None and recorder.value is not None
    return hidden, recorder.key, recorder.value


def _leaf(tensor: Tensor) -> Tensor:
    return tensor.detach().requires_grad_(tensor.requires_grad)


def _causal(model: Any) -> Any:
    """The transformers model inside a peft model."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    family = getattr(getattr(base, "config", None), "model_type", type(base).__name__)
    if family not in _FAMILIES:
        raise BaseModelError(
            f"models of the family {family!r} cannot be trained", where=str(family),
            mend=f"use a model of one of the families {', '.join(_FAMILIES)}",
        )  # fmt: skip
    scaling = getattr(base.config, "rope_parameters", None) or {}
    if scaling.get("rope_type") in ("dynamic", "longrope"):
        raise BaseModelError(
            f"positions of the kind {scaling['rope_type']!r} depend on the length of a prompt and cannot be shared",
            where="rope_type", mend="use a model with another kind of positions",
        )  # fmt: skip
    return base


def _register() -> None:
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attend)


@contextmanager
def _attention_of_ours(config: Any) -> Iterator[None]:
    before = config._attn_implementation
    config._attn_implementation_internal = NAME
    try:
        yield
    finally:
        config._attn_implementation_internal = before


__all__ = ["Pass", "Runner", "needed"]
