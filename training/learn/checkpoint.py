"""Checkpoints: one file that is either the old one or the new one, whenever the process dies."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import CheckpointError

FILE = "checkpoint.pt"
_FORMAT = 1


@dataclass(slots=True)
class Checkpoint:
    """Everything that the next step depends on."""

    step: int
    cursor: int
    settings: dict[str, Any]
    weights: dict[str, Tensor]
    optimizer: dict[str, Any]
    rows: str = ""
    """Fingerprint of the rows that the cursor counts in."""
    versions: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    """State of the caller, JSON."""


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint together with the random state; the old one stays until the new one is on disk."""
    state = {
        "format": _FORMAT, "step": checkpoint.step, "cursor": checkpoint.cursor, "weights": checkpoint.weights,
        "optimizer": checkpoint.optimizer, "torch_random": torch.get_rng_state(),
        "cuda_random": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "json": json.dumps({
            "settings": checkpoint.settings, "rows": checkpoint.rows, "versions": checkpoint.versions,
            "extra": checkpoint.extra, "python_random": random.getstate(),
        }),
    }  # fmt: skip
    path, new = folder / FILE, folder / f"{FILE}.new"
    buffer = io.BytesIO()
    torch.save(state, buffer)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with new.open("wb") as file:
            file.write(buffer.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
        _sync_folder(folder)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise CheckpointError(
            f"the checkpoint cannot be written: {error.strerror or error}", where=str(path),
            mend="free some disk space, then go on with --resume; the last checkpoint is whole",
        ) from error  # fmt: skip
    return path


def load(folder: Path) -> Checkpoint | None:
    """The last whole checkpoint, with the random state set to what it was; None where there is none."""
    path = folder / FILE
    (folder / f"{FILE}.new").unlink(missing_ok=True)
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        plain = json.loads(state["json"])
        if state["format"] != _FORMAT:
            raise ValueError(f"format {state['format']} is not {_FORMAT}")
        checkpoint = Checkpoint(
            state["step"], state["cursor"], plain["settings"], state["weights"], state["optimizer"], plain["rows"],
            plain["versions"], plain["extra"],
        )  # fmt: skip
        _set_random(state, plain["python_random"])
    except (OSError, RuntimeError, ValueError, KeyError, EOFError, TypeError, pickle.UnpicklingError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(
            f"the checkpoint cannot be read: {reason}", where=str(path), mend="remove it and train again from the beginning"
        ) from error
    return checkpoint


def _set_random(state: dict[str, Any], python: list[Any]) -> None:
    torch.set_rng_state(state["torch_random"])
    if state["cuda_random"] and torch.cuda.device_count() == len(state["cuda_random"]):
        torch.cuda.set_rng_state_all(state["cuda_random"])
    random.setstate((python[0], tuple(python[1]), python[2]))


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
