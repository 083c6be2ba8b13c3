"""What it takes to swap the adapter of a live policy, and whether the first token after it is that of a fresh start.

`python benchmarks/adapter_swap.py [REPEATS] [--model SPEC]`

A swap reads the adapter's GGUF, applies it and drops the KV cache; reading the prompt again is the next reply's work and is
timed beside it. The adapters are random, of the rank and on the matrices that `atlas train` takes by default.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measure import heading, table

from atlas.runtime.policies import Sampling
from atlas.runtime.policies.llama import LlamaPolicy
from atlas.runtime.policies.spec import resolve
from atlas.training.adapters.random_adapter import write_random_adapter

PROMPT = "servers: files (5), text (4)\ntools:\ndef files.read(path: str) -> str\ntask: How many words are in notes.md?"
GREEDY = Sampling(max_tokens=1)


@contextmanager
def policy(model: Path, adapter: Path | None = None) -> Iterator[LlamaPolicy]:
    """A policy that is closed at the end."""
    loaded = LlamaPolicy(model, adapter=adapter)
    try:
        yield loaded
    finally:
        asyncio.run(loaded.aclose())


def prompt_of(loaded: LlamaPolicy) -> list[int]:
    conversation = loaded.conversation("You write programs.")
    conversation.add_user(PROMPT)
    return conversation.prompt_ids()


def fresh(model: Path, adapter: Path | None) -> tuple[int, float]:
    """First token and its log-probability in a policy that was started with this adapter."""
    with policy(model, adapter) as loaded:
        return first(loaded)


def first(loaded: LlamaPolicy) -> tuple[int, float]:
    proposal = loaded.generate(prompt_of(loaded), GREEDY)
    assert proposal.token_ids and proposal.logprobs
    return proposal.token_ids[0], proposal.logprobs[0]


class Clock:
    """Seconds that passed, and seconds that this thread was running: the second hardly moves on a busy machine."""

    def __init__(self) -> None:
        self.passed: list[float] = []
        self.worked: list[float] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        passed, worked = time.perf_counter(), time.thread_time()
        yield
        self.worked.append(time.thread_time() - worked)
        self.passed.append(time.perf_counter() - passed)

    def figures(self) -> tuple[str, ...]:
        figures = (min(self.passed), statistics.median(self.passed), max(self.passed), statistics.median(self.worked))
        return tuple(f"{seconds * 1e3:.2f} ms" for seconds in figures)


def measure(model: Path, adapters: list[Path], repeats: int) -> None:
    expected = {path: fresh(model, path) for path in [*adapters, None]}
    swap, back, reply, equal = Clock(), Clock(), Clock(), 0
    with policy(model) as loaded:
        equal += first(loaded) == expected[None]
        for number in range(repeats):
            path = adapters[number % len(adapters)]
            with swap.running():
                loaded.use_adapter(path)
            with reply.running():
                token = first(loaded)
            equal += token == expected[path]
            with back.running():
                loaded.use_adapter(None)
            equal += first(loaded) == expected[None]
        tokens = len(prompt_of(loaded))
    rows = [
        ("an adapter: file read, applied, cache dropped", *swap.figures()),
        ("back to the base alone", *back.figures()),
        (f"then the first token, {tokens} prompt tokens read", *reply.figures()),
    ]
    table(["", "least", "median", "largest", "processor, median"], rows)
    size = adapters[0].stat().st_size / 1e6
    print(f"\nadapters of {size:.1f} MB over {model.name} ({model.stat().st_size / 1e6:.1f} MB)")
    print(f"first token and its log-probability equal to a fresh start's: {equal} of {2 * repeats + 1}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("repeats", nargs="?", type=int, default=20)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--rank", type=int, default=16)
    options = parser.parse_args()
    model, _ = resolve(options.model)
    heading("Adapter swap in a live policy")
    with tempfile.TemporaryDirectory(prefix="atlas-swap-") as scratch:
        adapters = [
            write_random_adapter(Path(scratch) / f"{seed}.gguf", model, rank=options.rank, seed=seed) for seed in range(3)
        ]
        measure(model, adapters, options.repeats)


if __name__ == "__main__":
    main()
