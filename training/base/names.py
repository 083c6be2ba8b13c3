"""Which GGUF tensor holds which weight of the transformers model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...runtime.policies.gguf_file import read_header
from ..errors import BaseModelError

FUSED = ("attn_qkv", "ffn_gate_up")
_NOT_WEIGHTS = ("rope_freqs.weight",)


def gguf_names(architecture: str, layers: int, keys: Iterable[str]) -> dict[str, str]:
    """The GGUF name of every weight (`model.layers.0.mlp.up_proj.weight` -> `blk.0.ffn_up.weight`)."""
    import gguf

    known: Any = gguf.get_tensor_name_map(getattr(gguf.MODEL_ARCH, architecture.upper()), layers)
    return {key: str(known.get_name(key, try_suffixes=(".weight", ".bias"))) for key in keys}


def check_names(wanted: Iterable[str], found: Iterable[str], where: str, *, complete: bool = True) -> None:
    """Raise where a tensor is missing, or (`complete`) one is there that the trainer's model has no place for."""
    need, have = set(wanted), set(found) - set(_NOT_WEIGHTS)
    fused = sorted(name for name in have if any(f".{part}." in name for part in FUSED))
    if fused:
        raise BaseModelError(
            f"{where} holds fused projections ({fused[0]}): an adapter for its query, key and value cannot be loaded",
            where=where,
            mend="convert the model again without fusing (convert_hf_to_gguf.py without --fuse-qkv)",
        )
    if missing := sorted(need - have):
        raise BaseModelError(
            f"{where} has no tensor {', '.join(missing[:3])}{_more(missing)}", where=where, mend="fetch the file again"
        )
    if complete and (extra := sorted(have - need)):
        raise BaseModelError(
            f"{where} has tensors that its architecture does not name: {', '.join(extra[:3])}{_more(extra)}",
            where=where,
            mend="the trainer would compute something else than llama.cpp; choose the plain model of its family",
        )


def check_adaptable(path: Path, architecture: str, layers: int) -> None:
    """Raise where the GGUF at `path` is of another kind or has no query matrix of its own to put an adapter on."""
    import gguf

    header = read_header(path)
    if header.architecture != architecture:
        raise BaseModelError(
            f"{path} is a {header.architecture}, the model to train is a {architecture}", where=str(path),
            mend="give the GGUF that was made from this folder",
        )  # fmt: skip
    keys = [f"model.layers.{layer}.self_attn.q_proj.weight" for layer in range(layers)]
    found = [tensor.name for tensor in gguf.GGUFReader(path).tensors]
    check_names(gguf_names(architecture, layers, keys).values(), found, str(path), complete=False)


def _more(names: list[str]) -> str:
    return f" and {len(names) - 3} more" if len(names) > 3 else ""
