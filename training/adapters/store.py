"""The adapters in the state folder: list, choose, remove, and promote the ones that did no harm on held-out tasks."""

from __future__ import annotations

import difflib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...runtime.adapters import CARD, FOLDER, GGUF, StoredAdapter, latest_adapter, read_stored, stored_adapters
from ..errors import AdapterError

WORST_LOSS = -0.02
"""Promoted is what held-out success may, at the worst end of the paired interval, have lost less than: two points."""


class AdapterStore:
    """The folder `adapters` of the state folder (`ATLAS_HOME`); each training run has a folder in it."""

    def __init__(self, home: Path) -> None:
        self._home = home

    @property
    def folder(self) -> Path:
        """Where the adapters lie."""
        return self._home / FOLDER

    def path_of(self, run: str) -> Path:
        """The folder for the adapter of a run. Raises `AdapterError` for a name that is no folder name."""
        if run != Path(run).name or run.startswith(".") or run in ("", "auto", "latest", "none"):
            raise AdapterError(f"{run!r} cannot be the name of an adapter", where="run", mend="give a plain word")
        return self.folder / run

    def list(self) -> list[StoredAdapter]:
        """All adapters, newest first, broken ones with their `.problem`."""
        return stored_adapters(self._home)

    def get(self, name: str) -> StoredAdapter:
        """One adapter. Raises `AdapterError` where there is none of this name, or it is broken."""
        known = {one.name: one for one in self.list()}
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else "see `atlas adapters list`"
            raise AdapterError(f"there is no adapter {name}", where=str(self.folder), mend=hint)
        return known[name]

    def add(self, folder: Path, *, name: str | None = None) -> StoredAdapter:
        """Take in an adapter that was saved elsewhere (a copy; it is not promoted by that)."""
        found = read_stored(folder)
        if found.problem:
            raise AdapterError(f"{folder} holds no adapter: {found.problem}", where=str(folder), mend="train it again")
        target = self.path_of(name or found.name)
        if target.exists():
            raise AdapterError(
                f"there is an adapter {target.name} already", where=str(target), mend="remove it, or give another name"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=self.folder))
        try:
            shutil.copytree(folder, draft, dirs_exist_ok=True)
            _write_card(draft, found.card | {"promotion": None})
            draft.rename(target)
        except OSError as problem:
            shutil.rmtree(draft, ignore_errors=True)
            raise _not_written(target, problem) from problem
        return read_stored(target)

    def remove(self, name: str) -> None:
        """Delete an adapter. A running process that has it loaded goes on with it."""
        folder = self.get(name).folder
        try:
            grave = Path(tempfile.mkdtemp(prefix=".removed-", dir=self.folder))
            folder.rename(grave / folder.name)
        except OSError as problem:
            raise _not_written(folder, problem) from problem
        shutil.rmtree(grave, ignore_errors=True)

    def use(self, name: str) -> StoredAdapter:
        """Make an adapter `latest` because the user says so, whatever its evaluation showed."""
        return self._decide(self._whole(name), {"promoted": True, "by": "user"})

    def use_none(self, base_hash: str | None = None) -> Sequence[StoredAdapter]:
        """Withdraw every promotion (for one base model, or for all): plain runs use no adapter then. Returns them."""
        found = [one for one in self.list() if one.promoted is not None]
        found = [one for one in found if base_hash is None or one.base_hash == base_hash]
        for one in found:
            self._decide(one, {"promoted": False, "by": "user"})
        return found

    def latest(self, base_hash: str | None = None) -> Path | None:
        """The GGUF that `--adapter latest` takes (for these base weights, where they are given)."""
        found = latest_adapter(self._home, base_hash)
        return found.gguf if found else None

    def promote(self, name: str, interval: tuple[float, float], *, gain: float | None = None) -> bool:
        """Make an adapter `latest` when it was not worse on held-out tasks; returns whether it was.

        `interval` is the paired 95 % interval of success after minus before, in shares (0.01 is a point): its lower end
        must lie above -0.02. An adapter whose export was never compared with llama.cpp is refused with `AdapterError`.
        """
        found = self._whole(name)
        low, high = interval
        if not low <= high:
            raise AdapterError(f"({low}, {high}) is no interval", where=name, mend="give its lower and its upper end")
        if not found.card.get("parity"):
            raise AdapterError(
                f"the adapter {name} was not compared with llama.cpp", where=str(found.folder),
                mend="save it with the token ids of real episodes (save_adapter(..., check=...))",
            )  # fmt: skip
        passed = low > WORST_LOSS
        self._decide(found, {"promoted": passed, "by": "evaluation", "interval": [low, high], "gain": gain})
        return passed

    def _whole(self, name: str) -> StoredAdapter:
        found = self.get(name)
        if found.problem:
            raise AdapterError(
                f"the adapter {name} is broken: {found.problem}", where=str(found.folder),
                mend=f"remove it with `atlas adapters remove {name}`, and train again",
            )  # fmt: skip
        return found

    def _decide(self, found: StoredAdapter, promotion: Mapping[str, Any]) -> StoredAdapter:
        try:
            _write_card(found.folder, found.card | {"promotion": {**promotion, "at": time.time()}})
        except OSError as problem:
            raise _not_written(found.folder, problem) from problem
        return read_stored(found.folder)


def _write_card(folder: Path, card: Mapping[str, Any]) -> None:
    """Replace the card as a whole: a reader sees the old one or the new one."""
    draft = folder / f".{CARD}.{os.getpid()}"
    draft.write_text(json.dumps(card, indent=1, default=str) + "\n", encoding="utf-8")
    draft.replace(folder / CARD)


def _not_written(folder: Path, problem: OSError) -> AdapterError:
    return AdapterError(
        f"{folder.name}: {problem.strerror or problem}",
        where=str(folder),
        mend="check the disk and the permissions",
    )


__all__ = ["GGUF", "AdapterStore", "StoredAdapter"]
