"""What decoding the turns of several episodes together would gain: milliseconds of processor time a token, in process.

`python benchmarks/batched_decoding.py [--model SPEC] [--prompt TOKENS] [--tokens N]`

Every sequence holds a prompt of its own (as rollouts of different tasks do) and grows by one token a step. `unified` is the
KV cache that the policy uses now, `apart` one stream a sequence. The sampler's share is what stays as it is.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from measure import heading, table

from atlas.runtime.policies import Sampling
from atlas.runtime.policies.llama_model import load_model, quiet_llama
from atlas.runtime.policies.sampling import Sampler
from atlas.runtime.policies.spec import resolve


def context_of(model: Any, count: int, room: int, *, unified: bool) -> Any:
    """A context for so many sequences."""
    llama = quiet_llama()
    parameters = llama.llama_context_default_params()
    parameters.n_ctx, parameters.n_seq_max, parameters.kv_unified = room * count, count, unified
    parameters.n_batch = parameters.n_ubatch = 512
    parameters.n_threads = parameters.n_threads_batch = 1
    parameters.flash_attn_type = llama.LLAMA_FLASH_ATTN_TYPE_DISABLED
    return llama.llama_init_from_model(model, parameters)


def decode(context: Any, tokens: list[tuple[int, int, int]], batch: Any) -> None:
    """Compute `(token, position, sequence)`; logits of the last token of the batch and of single ones are kept."""
    llama = quiet_llama()
    single = len({sequence for _, _, sequence in tokens}) == len(tokens)
    for place, (token, position, sequence) in enumerate(tokens):
        batch.token[place], batch.pos[place] = token, position
        batch.n_seq_id[place], batch.seq_id[place][0] = 1, sequence
        batch.logits[place] = single or place == len(tokens) - 1
    batch.n_tokens = len(tokens)
    if llama.llama_decode(context, batch):
        raise SystemExit("llama.cpp could not compute the batch")


def measured(model: Any, count: int, prompt: int, steps: int, *, unified: bool) -> float:
    """Processor milliseconds a token with so many sequences in every step."""
    llama = quiet_llama()
    context = context_of(model, count, prompt + steps + 8, unified=unified)
    batch = llama.llama_batch_init(512, 0, 1)
    random = np.random.default_rng(0)
    for sequence in range(count):
        ids = random.integers(10, 400, prompt).tolist()
        for start in range(0, prompt, 512):
            part = ids[start : start + 512]
            decode(context, [(token, start + place, sequence) for place, token in enumerate(part)], batch)
    began = time.process_time()
    for step in range(steps):
        decode(context, [(20 + step, prompt + step, sequence) for sequence in range(count)], batch)
    seconds = time.process_time() - began
    llama.llama_batch_free(batch)
    llama.llama_free(context)
    return seconds / (steps * count) * 1000


def sampling_ms(size: int, steps: int) -> float:
    """Processor milliseconds of the sampler for a token, without a name constraint."""
    sampler = Sampler(Sampling(temperature=1.0, seed=1), None)
    logits = np.random.default_rng(0).standard_normal(size).astype(np.float32)
    began = time.process_time()
    for _ in range(steps):
        sampler.step(logits)
    return (time.process_time() - began) / steps * 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--prompt", type=int, default=600)
    parser.add_argument("--tokens", type=int, default=60)
    asked = parser.parse_args()
    llama = quiet_llama()
    path, _ = resolve(asked.model, quiet=True)
    model = load_model(Path(path))
    size = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(model))
    sample = sampling_ms(size, 10 * asked.tokens)
    rows: list[tuple[Any, ...]] = []
    alone = 0.0
    for count in (1, 4, 8, 16):
        unified = measured(model, count, asked.prompt, asked.tokens, unified=True)
        apart = measured(model, count, asked.prompt, asked.tokens, unified=False)
        alone = alone or min(unified, apart)
        best = min(unified, apart)
        rows.append((count, f"{unified:.2f}", f"{apart:.2f}", f"{(alone + sample) / (best + sample):.2f}"))
    heading(f"Batched decoding, {asked.model}, prompts of {asked.prompt} tokens; sampler {sample:.2f} ms a token")
    table(("sequences", "ms a token, unified", "ms a token, apart", "times as fast with the sampler"), rows)


if __name__ == "__main__":
    main()
