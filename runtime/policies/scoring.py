"""Scores single next tokens instead of writing: how a small judge says yes or no by the margin of its log-probabilities.

Prompts that begin alike share what they have in common: it is read once and stays in the KV cache.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .errors import EndpointRefused, ModelError, PromptTooLong
from .sampling import Logits, log_softmax

if TYPE_CHECKING:
    from ..conversation import Conversation
    from .adapter_swap import AdapterVersion, PinnedPolicy
    from .http import HttpPolicy
    from .llama import LlamaPolicy
    from .llama_model import LlamaModel

TOP_LOGPROBS = 20
BATCH_TOKENS = 512
_LEAST_BATCH = 64


def engine_of(policy: LlamaPolicy | PinnedPolicy) -> tuple[LlamaPolicy, AdapterVersion | None]:
    """The policy that computes, and the version that it has to compute with; None takes its present one."""
    inner: LlamaPolicy | None = getattr(policy, "_policy", None)
    return (policy, None) if inner is None else (inner, policy._version)  # type: ignore[return-value]


async def next_logprobs(
    policy: LlamaPolicy | PinnedPolicy, prompts: Sequence[list[int]], tokens: Sequence[Sequence[int]], *, share: bool = True
) -> list[list[float]]:
    """For each prompt, the log-probability that its next token is one of each group of `tokens`.

    `share` False reads every prompt from its beginning, which is for measuring what sharing gains.
    """
    longest = max((len(prompt) for prompt in prompts), default=0)
    if longest >= policy.context_length:
        raise PromptTooLong(
            f"the prompt has {longest} tokens, the context of {policy.identity.model} holds {policy.context_length}",
            where=policy.identity.model, mend="load the model with a larger context",
        )  # fmt: skip
    engine, version = engine_of(policy)

    def work() -> list[list[float]]:
        with engine._decoding:
            model = engine._model
            model.check_open()
            model.apply((version or engine._version).loaded)
            logits = _branches(model, prompts) if share else _one_by_one(model, prompts)
            return [[_mass(values, group) for group in tokens] for values in map(_logprobs, logits)]

    async with engine._busy:
        running = asyncio.get_running_loop().run_in_executor(None, work)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait([running])
            raise


def _logprobs(logits: Logits) -> npt.NDArray[np.float64]:
    return log_softmax(logits.astype(np.float64))


def _mass(logprobs: npt.NDArray[np.float64], group: Sequence[int]) -> float:
    return float(np.logaddexp.reduce(logprobs[list(group)])) if group else -math.inf


def _one_by_one(model: LlamaModel, prompts: Sequence[list[int]]) -> Iterator[Logits]:
    for prompt in prompts:
        model.forget()
        model.read(prompt)
        yield model.logits()


def _branches(model: LlamaModel, prompts: Sequence[list[int]]) -> Iterator[Logits]:
    """Logits after each prompt: their common beginning is read once, and what follows it is read side by side."""
    common = _common_length(prompts)
    most = int(model._llama.llama_n_seq_max(model._context)) - 2
    if len(prompts) < 2 or most < 2 or common == 0:
        for prompt in prompts:
            model.read(prompt)
            yield model.logits()
        return
    model.read(prompts[0][:common])
    room = min(model.context_length - common - _LEAST_BATCH, BATCH_TOKENS - _LEAST_BATCH)
    waiting = [prompt[common:] for prompt in prompts]
    while waiting:
        count = _fitting([len(suffix) for suffix in waiting[:most]], room)
        if count == 0:  # a long question: it is read alone
            model.read([*prompts[0][:common], *waiting[0]])
            yield model.logits()
            model.read(prompts[0][:common])
        else:
            yield from _side_by_side(model, common, waiting[:count])
        waiting = waiting[max(1, count) :]


def _common_length(prompts: Sequence[list[int]]) -> int:
    """Tokens that all prompts begin with; each keeps at least one of its own."""
    shortest = min((len(prompt) for prompt in prompts), default=0)
    for place in range(shortest):
        if any(prompt[place] != prompts[0][place] for prompt in prompts):
            return place
    return max(0, shortest - 1)


def _fitting(lengths: list[int], room: int) -> int:
    total = 0
    for count, length in enumerate(lengths):
        total += length
        if total > room:
            return count
    return len(lengths)


def _side_by_side(model: LlamaModel, common: int, suffixes: Sequence[list[int]]) -> list[Logits]:
    """One computation for several continuations of what sequence 0 holds, each in a sequence of its own.

    llama.cpp's attention on a CPU is many times slower below 64 tokens, so a small batch is filled up with a copy.
    """
    llama, memory = model._llama, model._memory
    missing = _LEAST_BATCH - sum(len(suffix) for suffix in suffixes)
    filler = [(suffixes[-1] * _LEAST_BATCH)[:missing]] if missing > 0 else []
    branches = [*suffixes, *filler]
    total = sum(len(branch) for branch in branches)
    batch = llama.llama_batch_init(total, 0, 1)
    ends, place = [], 0
    try:
        for number, branch in enumerate(branches, 1):
            llama.llama_memory_seq_cp(memory, 0, number, 0, common)
            for offset, token in enumerate(branch):
                batch.token[place], batch.pos[place] = token, common + offset
                batch.n_seq_id[place], batch.seq_id[place][0] = 1, number
                batch.logits[place] = offset == len(branch) - 1
                place += 1
            ends.append(place - 1)
        batch.n_tokens = total
        code = llama.llama_decode(model._context, batch)
        if code:
            model.forget()
            raise ModelError(
                f"llama.cpp could not compute {total} tokens of {model.path.name} (code {code})", where=str(model.path),
                mend="use a larger context, or fewer criteria",
            )  # fmt: skip
        size = model.tokenizer.size
        pointers = [llama.llama_get_logits_ith(model._context, end) for end in ends[: len(suffixes)]]
        return [np.ctypeslib.as_array(pointer, shape=(size,)).copy() for pointer in pointers]
    finally:
        llama.llama_batch_free(batch)
        for number in range(1, len(branches) + 1):
            llama.llama_memory_seq_rm(memory, number, -1, -1)


@dataclass(frozen=True, slots=True)
class FirstToken:
    """What an endpoint says it would write."""

    text: str
    top: Mapping[str, float]
    """Likely first tokens and their log-probabilities; empty where the server does not tell."""


async def first_token(policy: HttpPolicy, conversation: Conversation, *, max_tokens: int = 8) -> FirstToken:
    """Ask an endpoint for the beginning of a reply, with the alternatives to its first token where it gives them."""
    await policy._probe()
    plain = {
        "model": policy._model, "messages": policy._messages(conversation),  # type: ignore[arg-type]
        "temperature": 0.0, "seed": 0, "max_tokens": max_tokens, "stream": False,
    }  # fmt: skip
    asked = plain | {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
    try:
        return _first([chunk async for chunk in policy._wire.chunks("/chat/completions", asked)])
    except EndpointRefused as refusal:
        if refusal.status not in (400, 422, 500, 501):
            raise
        return _first([chunk async for chunk in policy._wire.chunks("/chat/completions", plain)])


def _first(chunks: list[dict[str, Any]]) -> FirstToken:
    text, top = "", dict[str, float]()
    for choice in _choices(chunks):
        message = choice.get("message") or choice.get("delta") or {}
        text += str(message.get("content") or "")
        logprobs = choice.get("logprobs")
        entries = logprobs.get("content") if isinstance(logprobs, dict) else None
        if not top and isinstance(entries, list) and entries and isinstance(entries[0], dict):
            top = _alternatives(entries[0])
    return FirstToken(text, top)


def _choices(chunks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for chunk in chunks:
        choices = chunk.get("choices")
        if isinstance(choices, list) and choices and isinstance(choices[0], dict):
            yield choices[0]


def _alternatives(entry: dict[str, Any]) -> dict[str, float]:
    """Tokens by their text; spellings that look the same add up."""
    listed = entry.get("top_logprobs")
    found: dict[str, float] = {}
    for one in listed if isinstance(listed, list) and listed else [entry]:
        if isinstance(one, dict) and isinstance(one.get("token"), str) and isinstance(one.get("logprob"), int | float):
            before = found.get(one["token"], -math.inf)
            found[one["token"]] = float(np.logaddexp(before, float(one["logprob"])))
    return found
