"""Makes nano from nothing: `python -m atlas.training.nano [--recipe cpu|gpu|smoke] [--out runs/nano]` (or `make nano`).

Times the machine first and says how long the run will take; stopped and started again, it goes on where it was. At the
end the GGUF lies in the folder, beside `config.json` (the exact recipe), `metrics.jsonl` and the tokenizer.
"""

from __future__ import annotations

import argparse
import ctypes.util
import dataclasses
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .config import Recipe

_GLIBC = {"MALLOC_MMAP_THRESHOLD_": "4000000000", "MALLOC_TRIM_THRESHOLD_": "8000000000"}
_JEMALLOC = {
    "MALLOC_CONF": "oversize_threshold:0,dirty_decay_ms:-1,muzzy_decay_ms:-1,thp:always,metadata_thp:always,narenas:1"
}
"""Allocators give big blocks back after every step and fault them in again; keeping them is a tenth faster. With glibc a
fifth of a run then goes into finding blocks, and memory grows by the minute; jemalloc is half again as fast."""

_CHANGES = ("tokens", "seed", "minutes", "workers", "acting", "toolbox_share", "shared_share", "step_tokens")
"""What the command line may set in the recipe."""


def main() -> None:
    """Parse the command line and run the stages."""
    parser = argparse.ArgumentParser(prog="python -m atlas.training.nano", description=__doc__.split("\n")[0])
    parser.add_argument("--recipe", default="cpu", choices=["cpu", "gpu", "smoke"])
    parser.add_argument("--out", type=Path, default=Path("runs/nano"))
    parser.add_argument("--tokens", type=int, help="positions to train on, instead of the recipe's")
    parser.add_argument("--seed", type=int, help="instead of the recipe's")
    parser.add_argument("--minutes", type=float, help="plan the run to be this long, instead of the recipe's length")
    parser.add_argument("--workers", type=int, help="processes with one core each; 4 to 5 GB of memory apiece")
    parser.add_argument("--acting", choices=["program", "json"], help="what it learns to write; programs, unless given")
    parser.add_argument("--context", type=int, help="tokens that a prompt may have, instead of the recipe's")
    parser.add_argument("--toolbox-share", type=float, help="of the worlds, instead of the recipe's")
    parser.add_argument("--shared-share", type=float, help="of worlds with servers beside the toolbox, likewise")
    parser.add_argument("--step-tokens", type=int, help="positions a step, instead of the recipe's")
    parser.add_argument("--start", type=Path, help="a nano GGUF to begin with, instead of random weights")
    parser.add_argument("--precision", default="f16", choices=["f32", "f16", "q8_0"])
    parser.add_argument("--export-only", action="store_true", help="write the GGUF of the last checkpoint")
    arguments = parser.parse_args()
    allocator = _allocator() if sys.platform == "linux" else {}
    if any(os.environ.get(name) != value for name, value in allocator.items()):
        os.environ.update(allocator)
        os.execv(sys.executable, [sys.executable, "-m", "atlas.training.nano", *sys.argv[1:]])
    _run(arguments)


def _allocator() -> dict[str, str]:
    """The environment under which this process keeps its memory: jemalloc's where that is installed."""
    library = ctypes.util.find_library("jemalloc")
    return {"LD_PRELOAD": library, **_JEMALLOC} if library else _GLIBC


def _run(arguments: argparse.Namespace) -> None:
    from .config import MODELS, RECIPES
    from .export import export
    from .pretrain import load_model, pretrain

    changes = {key: value for key in _CHANGES if (value := getattr(arguments, key)) is not None}
    recipe = dataclasses.replace(RECIPES[arguments.recipe], **changes)
    model = MODELS[arguments.recipe]
    if arguments.context is not None:
        model = dataclasses.replace(model, context_tokens=arguments.context)
    if not arguments.export_only:
        recipe = dataclasses.replace(recipe, precision=_forecast(recipe))
        pretrain(model, recipe, arguments.out, start=arguments.start)
    path = arguments.out / "nano.gguf"
    export(load_model(arguments.out), arguments.out, path, precision=arguments.precision)
    print(f"wrote {path}", file=sys.stderr)


def _forecast(recipe: Recipe) -> Literal["float32", "bfloat16"]:
    """Time matrix products of both number types, say what the run will take, and return the type to use."""
    import torch

    speeds = {}
    for kind in (torch.float32, torch.bfloat16):
        matrix = torch.randn(1024, 1024, dtype=kind, device=recipe.device)
        matrix @ matrix
        began = time.monotonic()
        for _ in range(8):
            (matrix @ matrix).sum().item()
        speeds[kind] = 8 * 2 * 1024**3 / (time.monotonic() - began) / 1e9
    fast = recipe.device == "cuda" or speeds[torch.bfloat16] > 2 * speeds[torch.float32]
    kind, cost = (torch.bfloat16, 260e6) if fast else (torch.float32, 150e6)
    # Operations a position over a whole step: measured for bfloat16; for float32 scaled from a smaller model.
    hours = recipe.tokens * cost / speeds[kind] / 1e9 / 3600
    if recipe.minutes is not None:
        hours = min(hours, recipe.minutes / 60)
    print(
        f"this machine: {speeds[torch.float32]:.0f} GFLOP/s in float32, {speeds[torch.bfloat16]:.0f} in bfloat16; "
        f"up to {recipe.tokens / 1e6:.0f} M positions in about {hours:.1f} hours",
        file=sys.stderr,
    )  # fmt: skip
    return "bfloat16" if fast else "float32"


if __name__ == "__main__":
    main()
