"""The real `atlas` command in processes of its own, from one process that imported the heavy libraries once.

A line of standard input is an order: `{"arguments", "home", "cwd", "out", "err", "hurt"}`. `hurt` says what befalls the
process: `{"what": "kill" | "nan" | "full", "phase", "step", "bytes"}`; `replies` are what the policy says in place of what
it would sample, one after the other, with `logprob` as that of each token (unknown without). The answer is the process id,
then its exit code.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any

import gguf  # noqa: F401 - loaded before the fork
import peft  # noqa: F401
import torch
import transformers  # noqa: F401
import typer  # noqa: F401


def hurt(what: str, phase: str = "", step: int = 0, bytes: int = 0) -> None:
    """Arrange what is to befall this process."""
    from atlas.training.learn import objective
    from atlas.training.learn.trainer import Trainer
    from atlas.training.recipes.learner import Learner

    whole, value, kept, save = Trainer._clipped_norm, objective.value, Trainer.save, Learner.save

    def dying(self: Any, *arguments: Any) -> float:  # gradients are there, the optimiser has not taken its step
        if what == "kill" and self.step_number + 1 == step and self.folder.name == phase:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(self, *arguments)

    def broken(*arguments: Any) -> dict[str, float]:
        return value(*arguments) | ({"loss": math.nan} if what == "nan" else {})

    def crowded(work: Callable[..., Any], when: str) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            if what == "full" and phase == when:
                resource.setrlimit(resource.RLIMIT_FSIZE, (bytes, bytes))
            return work(*arguments, **options)

        return run

    Trainer._clipped_norm, objective.value = dying, broken  # type: ignore[method-assign]
    Trainer.save, Learner.save = crowded(kept, "checkpoint"), crowded(save, "save")  # type: ignore[method-assign]


def speak(replies: list[str], logprob: float | None = None) -> None:
    """Have the policy say these in turn, as if it had sampled them."""
    from atlas.runtime.policies.base import Proposal
    from atlas.runtime.policies.llama import LlamaPolicy

    texts = itertools.cycle(replies)

    def said(self: Any, prompt: list[int], sampling: Any, *_: Any) -> Proposal:
        text = next(texts)
        ids = self.template.tokenizer.encode(text)
        settings = {"temperature": sampling.temperature, "greedy": sampling.temperature == 0}
        settings |= {"top_p": 1.0, "top_k": 0, "min_p": 0.0}
        raw = None if logprob is None else [logprob] * len(ids)
        return Proposal(text, ids, raw, [-1.0] * len(ids), len(prompt), len(ids), sampler=settings)

    LlamaPolicy._generate = said  # type: ignore[method-assign, assignment]


def child(order: dict[str, Any]) -> int:
    """Be the command."""
    for stream, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(order[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ["ATLAS_HOME"] = order["home"]
    os.chdir(order["cwd"])
    torch.set_num_threads(1)
    if order.get("hurt"):
        hurt(**order["hurt"])
    if order.get("replies"):
        speak(order["replies"], order.get("logprob"))
    from atlas.cli import invoke

    return invoke(order["arguments"])


if __name__ == "__main__":
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            code = 70
            try:
                code = child(json.loads(line))
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        print(process, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
