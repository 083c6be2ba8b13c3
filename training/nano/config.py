"""What nano is and how it is trained: everything that decides the result, written beside the weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Qwen3 architecture: grouped-query attention with normalised heads, SwiGLU, tied embeddings."""

    vocabulary: int = 6144
    width: int = 384
    layers: int = 6
    heads: int = 6
    key_value_heads: int = 2
    head_width: int = 64
    feed_forward: int = 1024
    rotary_base: float = 10_000.0
    norm_epsilon: float = 1e-6
    context_tokens: int = 4096


@dataclass(frozen=True, slots=True)
class Recipe:
    """One training run. Token counts are of positions that the model computes, shared prefixes counted once."""

    name: str = "cpu"
    seed: int = 1
    device: Literal["cpu", "cuda"] = "cpu"
    precision: Literal["float32", "bfloat16"] = "float32"
    """What products are computed in; weights and optimisers stay float32. bfloat16 pays where the processor has it (AMX)."""
    tokens: int = 24_000_000
    minutes: float | None = None
    """Where given, the run is as long as this or as `tokens`, whichever ends first: for a machine lent by the hour."""
    step_tokens: int = 10_000
    warmup_steps: int = 40
    decay_share: float = 0.65
    """The learning rate falls linearly to zero over this last share of the run."""
    short_prompt_share: float = 0.3
    """The first share of the run sees four to seven stubs a prompt."""
    full_prompt_share: float = 0.3
    """The last share of the run sees full first prompts (up to 700 tokens of stubs); before, lengths are mixed."""
    muon_rate: float = 0.02
    muon_momentum: float = 0.95
    adam_rate: float = 3e-3
    gradient_clip: float = 1.0
    bpe_dropout: float = 0.1
    """On half of the worlds, so that names are read in any pieces."""
    wide_share: float = 0.8
    """Share of worlds whose names (tools, parameters, fields, files, people, things) are made of a wide lexicon."""
    drills: tuple[tuple[float, float], ...] = ((0.14, 1.0), (0.3, 0.3), (1.0, 0.1))
    """Until each share of the run, what share of the trees are drills of copying and finding (see drills.py)."""
    toolbox_share: float = 0.4
    shared_share: float = 0.15
    """Share of worlds in which servers stand beside the toolbox (see worlds/shared.py)."""
    mistake_share: float = 0.3
    """Share of tasks that begin with a program which goes wrong, as a policy's own do (see worlds/mistakes.py)."""
    tasks_a_world: int = 40
    acting: Literal["program", "json"] = "program"
    """What it learns to write: programs, or one call a reply (`--acting json` of the runtime)."""
    checkpoint_minutes: float = 5.0
    producers: int = 1
    """Processes that make worlds, for each worker."""
    workers: int = 1
    """Processes with one core each that share every step (see team.py)."""


RECIPES = {
    "cpu": Recipe(),
    "gpu": Recipe(name="gpu", device="cuda", precision="bfloat16", tokens=600_000_000, step_tokens=65_536, warmup_steps=100,
                  producers=14),
    "smoke": Recipe(name="smoke", tokens=60_000, step_tokens=3_000, warmup_steps=2, checkpoint_minutes=0.05),
}

MODELS = {
    "cpu": ModelConfig(),
    "gpu": ModelConfig(width=512, layers=8, heads=8, key_value_heads=4, head_width=64, feed_forward=1024),
    "smoke": ModelConfig(width=64, layers=2, heads=2, key_value_heads=1, head_width=32, feed_forward=128),
}
"""The shape that goes with each recipe: 12 M parameters for two cores, 22 M for a GPU (23 MB as Q8_0)."""


def as_dict(config: ModelConfig | Recipe) -> dict[str, Any]:
    """The configuration as plain data for `config.json`."""
    return asdict(config)
