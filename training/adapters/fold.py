"""What of a peft adapter llama.cpp can hold: two matrices a weight and one alpha for all; everything else is refused.

llama.cpp multiplies B·A by alpha / rank, the rank read from each B. Rank-stabilised LoRA (alpha / sqrt(rank)) and
alphas that differ from matrix to matrix are exact when what differs is folded into B; ranks may differ as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..errors import AdapterError

_FREE = frozenset({
    "r", "lora_alpha", "lora_dropout", "target_modules", "exclude_modules", "rank_pattern", "alpha_pattern", "use_rslora",
    "init_lora_weights", "task_type", "peft_type", "peft_version", "auto_mapping", "inference_mode", "revision",
    "base_model_name_or_path", "layers_to_transform", "layers_pattern", "megatron_core", "loftq_config", "eva_config",
    "runtime_config", "qalora_group_size", "ensure_weight_tying",
})  # fmt: skip
"""Settings of peft that change where and how an adapter is trained, but not what it computes."""
_NAMED = {
    "use_dora": "DoRA (a learned magnitude for each column)",
    "modules_to_save": "modules_to_save (whole matrices trained beside the adapter)",
    "bias": "trained biases",
    "lora_bias": "biases in the adapter",
    "target_parameters": "adapted parameters that are no linear layers",
    "trainable_token_indices": "trained token embeddings",
    "fan_in_fan_out": "transposed weights",
    "layer_replication": "replicated layers",
    "alora_invocation_tokens": "activation tokens (aLoRA)",
}
_STARTS = (True, False, "gaussian", "orthogonal", "eva")
"""Ways to begin that leave the base's own weights alone (PiSSA, OLoRA, CorDA and LoftQ change them)."""
_MEND = "train with plain LoRA (rank, alpha, targets)"


@dataclass(frozen=True, slots=True)
class Pair:
    """The two halves for one weight; the change of the weight is `scale` · B·A."""

    module: str
    """The Hugging Face name of the layer, such as `model.layers.0.mlp.up_proj`."""
    a: Tensor
    """(rank, in)"""
    b: Tensor
    """(out, rank)"""
    scale: float

    @property
    def rank(self) -> int:
        """Width of the bottleneck."""
        return int(self.a.shape[0])


def pairs_of(model: Any) -> list[Pair]:
    """Every adapted weight of a `peft.PeftModel`. Raises `AdapterError` for what cannot be held in a GGUF adapter."""
    name = _active(model)
    check_settings(model.peft_config[name])
    found = list(_pairs(model, name))
    if not found:
        raise AdapterError("no layer of the model is adapted", where=name, mend=_MEND)
    return found


def check_settings(config: Any) -> None:
    """Raise `AdapterError`, naming the setting, for a kind of adapter that llama.cpp does not compute."""
    if str(getattr(config.peft_type, "value", config.peft_type)) != "LORA":
        raise _refused(f"an adapter of type {config.peft_type}", "peft_type")
    plain = type(config)()
    for field in config.__dataclass_fields__:
        value = getattr(config, field)
        if field not in _FREE and value and value != getattr(plain, field, None):
            raise _refused(_NAMED.get(field, f"the setting {field}"), field)
    if config.init_lora_weights not in _STARTS:
        raise _refused(f"a start by {config.init_lora_weights}, which changes the base's own weights", "init_lora_weights")


def common_alpha(pairs: list[Pair]) -> float:
    """The alpha that most pairs have without folding; exact for uniform settings, rank-stabilised or not."""
    wanted = [pair.scale * pair.rank for pair in pairs]
    return max(dict.fromkeys(wanted), key=wanted.count)


def folded_b(pair: Pair, alpha: float) -> Tensor:
    """B with whatever part of its scale alpha / rank does not give."""
    factor = pair.scale * pair.rank / alpha
    return pair.b if factor == 1.0 else pair.b * factor


def _active(model: Any) -> str:
    names = list(getattr(model, "active_adapters", [])) or list(getattr(model, "peft_config", {}))
    if len(names) != 1:
        raise AdapterError(
            f"{len(names)} adapters are active at once: {', '.join(names) or 'none'}", where="peft model",
            mend="activate one with set_adapter",
        )  # fmt: skip
    return str(names[0])


def _pairs(model: Any, name: str) -> Iterator[Pair]:
    from peft.tuners.lora import Linear, LoraLayer

    base = model.get_base_model()
    for path, module in base.named_modules():
        if type(module).__name__ in ("ModulesToSaveWrapper", "TrainableTokensWrapper"):
            raise _refused(_NAMED["modules_to_save"], path)
        if not isinstance(module, LoraLayer) or (name not in module.lora_A and name not in module.lora_embedding_A):
            continue
        if not isinstance(module, Linear) or path == "lm_head":
            raise _refused(f"an adapted {'head' if path == 'lm_head' else type(module).__name__.lower()}", path)
        if module.merged:
            raise AdapterError(f"{path} has its adapter merged into its weight", where=path, mend="unmerge it")
        if getattr(module, "lora_variant", {}).get(name) is not None or module.use_dora.get(name):
            raise _refused("DoRA or another variant of LoRA", path)
        a: Any = module.lora_A[name].weight
        b: Any = module.lora_B[name].weight
        yield Pair(path, a.detach().float().cpu(), b.detach().float().cpu(), float(module.scaling[name]))


def _refused(what: str, where: str) -> AdapterError:
    return AdapterError(f"a GGUF adapter cannot hold {what}", where=where, mend=_MEND)
