"""Saves a trained adapter: peft's own form, the GGUF for llama.cpp, and a card that says what it is; all or nothing."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...runtime.adapters import CARD, GGUF, PEFT
from ...runtime.policies.file_hash import FileHash
from ..base.policy import BasePolicy
from ..errors import AdapterError
from .agreement import Parity, parity
from .fold import pairs_of
from .gguf_export import write_gguf_adapter

FORMAT = 1


def save_adapter(
    model: Any, base: BasePolicy, folder: Path, *, run: str, settings: Mapping[str, Any] | None = None,
    check: Sequence[Sequence[int]] = (),
) -> Path:  # fmt: skip
    """Write `folder/adapter.gguf`, `folder/peft/` and `folder/adapter.json`; returns the path of the GGUF.

    `check` are token ids of real episodes: the export is refused (`ParityError`) unless trainer and llama.cpp agree on
    them, and only an adapter that was checked can be promoted. `settings` (of the run) are kept in the card. An
    existing `folder` is replaced as a whole. Raises `AdapterError`; nothing is left behind then.
    """
    pairs_of(model)  # what cannot be exported is told before anything is written
    with _draft(folder) as draft:
        with warnings.catch_warnings():
            # peft looks for the vocabulary of the base by its name, which is a GGUF here
            warnings.filterwarnings("ignore", "Could not find a config file", UserWarning)
            model.save_pretrained(draft / PEFT, save_embedding_layers=False)
        write_gguf_adapter(model, base, draft / GGUF, run=run)
        agreement = _checked(base, model, draft / GGUF, check)
        _write_card(draft, _card(model, base, draft / GGUF, run, settings or {}, agreement))
        _sync(draft)
    return folder / GGUF


def _checked(base: BasePolicy, model: Any, adapter: Path, sequences: Sequence[Sequence[int]]) -> Parity | None:
    if not sequences:
        return None
    if base.gguf is None:
        raise AdapterError(
            f"no GGUF serves {base.source}, so its adapter cannot be compared with llama.cpp", where=base.source,
            mend="load the base with the GGUF that was made from it (load_base(folder, served=...))",
        )  # fmt: skip
    agreement = parity(base, model, adapter, base.gguf, sequences)
    agreement.check(str(adapter.name))
    return agreement


def _card(
    model: Any, base: BasePolicy, adapter: Path, run: str, settings: Mapping[str, Any], agreement: Parity | None
) -> dict[str, Any]:
    config = next(iter(model.peft_config.values()))
    return {
        "format": FORMAT, "run": run, "created": time.time(), "model": base.source, "architecture": base.architecture,
        "base_hash": base.base_hash, "adapter_hash": FileHash(adapter).value,
        "lora": {
            "rank": config.r, "alpha": config.lora_alpha, "dropout": config.lora_dropout,
            "targets": sorted(config.target_modules), "rank_stabilised": bool(config.use_rslora),
        },
        "settings": dict(settings), "parity": agreement.to_json() if agreement else None, "promotion": None,
    }  # fmt: skip


def _write_card(folder: Path, card: Mapping[str, Any]) -> None:
    (folder / CARD).write_text(json.dumps(card, indent=1, default=str) + "\n", encoding="utf-8")


@contextmanager
def _draft(folder: Path) -> Iterator[Path]:
    """A hidden folder beside the final one that takes its place at the end, or disappears."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as problem:
        raise _not_written(folder, problem) from problem
    try:
        yield draft
        _take_place(draft, folder)
    except OSError as problem:
        raise _not_written(folder, problem) from problem
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _take_place(draft: Path, folder: Path) -> None:
    if folder.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        folder.rename(old / "old")
        draft.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    else:
        draft.rename(folder)


def _sync(folder: Path) -> None:
    """Bring every file to the disk before its folder gets its name."""
    for path in (one for one in folder.rglob("*") if one.is_file()):
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _not_written(folder: Path, problem: OSError) -> AdapterError:
    full = problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return AdapterError(
        f"the adapter cannot be written: {problem.strerror or problem}", where=str(folder),
        mend="free some space; the training run can be resumed" if full else "check the folder and its permissions",
    )  # fmt: skip
