"""The trainer's copy of a policy: the very weights that llama.cpp serves, in a transformers model."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime.policies.errors import ModelError
from ...runtime.policies.file_hash import FileHash
from ...runtime.policies.gguf_file import read_header
from ...runtime.policies.spec import resolve
from ..errors import BaseModelError
from .names import check_adaptable
from .shape import ARCHITECTURES

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class BasePolicy:
    """A frozen model with the weights of the policy."""

    model: Any
    """A transformers Llama, Qwen2 or Qwen3 for causal language modelling, in evaluation mode, without gradients."""
    architecture: str
    """As the GGUF names it: `llama`, `qwen2` or `qwen3`."""
    base_hash: str
    """SHA-256 of the GGUF, the one in `PolicyIdentity.base_hash`; of the weight files for a Hugging Face folder."""
    vocabulary: int
    source: str
    """What was asked for: `nano`, a path, ..."""
    gguf: Path | None = None
    """The file that llama.cpp serves; None for a Hugging Face folder without one."""


def load_base(
    spec: str | Path, *, device: str | torch.device = "cpu", dtype: torch.dtype | None = None, served: Path | None = None
) -> BasePolicy:
    """Load `nano`, a `.gguf` path, `hf:owner/name[:file]` or a Hugging Face folder for training.

    A quantised GGUF is dequantised: the trainer then disagrees with llama.cpp only by what its kernels round.
    `dtype` is float32 unless given. `served` names the GGUF that serves the weights of a Hugging Face folder; episodes
    and adapters are then bound to its hash. Raises `BaseModelError`.
    """
    import torch

    wanted = dtype or torch.float32
    folder = Path(spec).expanduser()
    if folder.is_dir():
        return _from_folder(folder, served, device, wanted)
    try:
        path, _ = resolve(str(spec), quiet=True)
        header = read_header(path)
    except ModelError as error:
        raise BaseModelError(error.message, where=error.where, mend=error.mend) from error
    from .weights import model_of_gguf

    model = _frozen(model_of_gguf(header, device=device, dtype=wanted))
    return BasePolicy(model, header.architecture, FileHash(path).value, model.config.vocab_size, str(spec), path)


def _from_folder(folder: Path, served: Path | None, device: Any, dtype: Any) -> BasePolicy:
    if not (folder / "config.json").is_file():
        raise BaseModelError(
            f"{folder} has no config.json: it is not a Hugging Face model",
            where=str(folder),
            mend="give a .gguf file, or the folder that holds config.json and model.safetensors",
        )
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        if config.model_type not in ARCHITECTURES:
            raise BaseModelError(
                f"{folder} is a model of type {config.model_type}, which cannot be trained here",
                where=str(folder),
                mend="choose a Llama, Qwen2 or Qwen3 model",
            )
        model = AutoModelForCausalLM.from_pretrained(
            folder, config=config, dtype=dtype, local_files_only=True, attn_implementation="sdpa"
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise BaseModelError(
            f"{folder} cannot be loaded: {str(error).splitlines()[0]}", where=str(folder), mend="fetch the model again"
        ) from None
    if served is not None:
        check_adaptable(served, config.model_type, config.num_hidden_layers)
    gguf, base_hash = (served, FileHash(served).value) if served else (None, _hash_of_folder(folder))
    model = _frozen(model.to(device))
    return BasePolicy(model, config.model_type, base_hash, config.vocab_size, str(folder), gguf)


def _hash_of_folder(folder: Path) -> str:
    """One hash over the weight files, in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")]):
        digest.update(f"{path.name} {FileHash(path).value}\n".encode())
    return digest.hexdigest()


def _frozen(model: Any) -> Any:
    model.config.use_cache = False
    return model.requires_grad_(False).eval()
