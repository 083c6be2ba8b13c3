"""The adapters kept in the state folder, as the runtime sees them: what is there, and which one a run takes.

Each training run has a folder `adapters/<run>/` with `adapter.gguf`, `adapter.json` (the card) and `peft/`. `latest` is the
adapter that was promoted last among those trained on the very weights that are to be run.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import UsageError
from .policies.errors import AdapterError

FOLDER = "adapters"
GGUF, CARD, PEFT = "adapter.gguf", "adapter.json", "peft"
AUTO, LATEST, NONE = "auto", "latest", "none"


@dataclass(frozen=True, slots=True)
class StoredAdapter:
    """One adapter in the state folder."""

    name: str
    folder: Path
    card: dict[str, Any] = field(default_factory=dict)
    problem: str | None = None
    """What is wrong with it; it is never chosen by itself then."""

    @property
    def gguf(self) -> Path:
        """The file that llama.cpp loads."""
        return self.folder / GGUF

    @property
    def base_hash(self) -> str:
        """SHA-256 of the model file that it was trained on."""
        return str(self.card.get("base_hash") or "")

    @property
    def model(self) -> str:
        """The model that it was trained on, as it was called then."""
        return str(self.card.get("model") or "")

    @property
    def created(self) -> float:
        """When it was saved, in seconds since 1970."""
        return _number(self.card.get("created"))

    @property
    def purpose(self) -> str:
        """`router` where it was trained to route, else `runs`: each is chosen by itself for its own purpose only."""
        settings = self.card.get("settings")
        return "router" if isinstance(settings, dict) and settings.get("recipe") == "router" else "runs"

    @property
    def promoted(self) -> float | None:
        """When it became `latest` (seconds since 1970); None where it never did, or was withdrawn."""
        promotion = self.card.get("promotion")
        return _number(promotion.get("at")) if isinstance(promotion, dict) and promotion.get("promoted") else None


def users_of(purpose: str, model: str = "") -> str:
    """Which runs take the promoted adapter of a purpose (or of the recipe of that name) by themselves."""
    of = f" of {model}" if model else ""
    return f"runs{of} with --router learned" if purpose == "router" else f"plain runs{of}"


def stored_adapters(home: Path) -> list[StoredAdapter]:
    """Every adapter in the state folder, newest first."""
    try:
        folders = [path for path in (home / FOLDER).iterdir() if path.is_dir() and not path.name.startswith(".")]
    except OSError:
        return []
    return sorted((read_stored(path) for path in folders), key=lambda one: (-one.created, one.name))


def read_stored(folder: Path) -> StoredAdapter:
    """The adapter of one folder; what is wrong with it is in `.problem`."""
    problem = None
    try:
        card = json.loads((folder / CARD).read_text("utf-8"))
        if not isinstance(card, dict):
            raise ValueError("not a JSON object")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        card, problem = {}, f"{CARD} cannot be read: {reason}"
    if not (folder / GGUF).is_file():
        problem = f"{GGUF} is missing"
    return StoredAdapter(folder.name, folder, card, problem)


def latest_adapter(home: Path, base_hash: str | None = None, purpose: str = "runs") -> StoredAdapter | None:
    """The adapter that was promoted last for this purpose, among those for the weights `base_hash` where it is given."""
    fitting = [
        one
        for one in stored_adapters(home)
        if one.promoted is not None and not one.problem and one.purpose == purpose
        and (base_hash is None or one.base_hash == base_hash)
    ]
    return max(fitting, key=lambda one: one.promoted or 0.0, default=None)


def chosen_adapter(
    choice: str | Path | None, home: Callable[[], Path], base_hash: Callable[[], str], model: str
) -> tuple[Path | None, str | None]:
    """What an `--adapter` value means for a model: the file, and the name that is logged.

    `auto` takes `latest` where there is one for these weights, and nothing otherwise; `latest` insists on it; `none` or
    None takes nothing; else it is a file, a folder that holds one, or the name of an adapter in the state folder.
    Raises `AdapterError`.
    """
    if choice is None or choice == NONE:
        return None, None
    if choice in (AUTO, LATEST):
        found = _latest(home, base_hash, model, insist=choice == LATEST)
        return (found.gguf, found.name) if found else (None, None)
    path = Path(choice).expanduser()
    if path.is_dir():
        path = path / GGUF
    if path.exists() or path.suffix == ".gguf" or len(path.parts) > 1:
        return path, str(choice)
    stored = read_stored(home() / FOLDER / path)
    if stored.problem:
        names = ", ".join(one.name for one in stored_adapters(home())) or "none yet"
        raise AdapterError(
            f"there is no adapter {choice}", where=str(choice), mend=f"give a .gguf file, or one of: {names}"
        )  # fmt: skip
    return stored.gguf, stored.name


def _latest(home: Callable[[], Path], base_hash: Callable[[], str], model: str, *, insist: bool) -> StoredAdapter | None:
    try:
        folder = home()
    except UsageError:  # no state folder can be made, which matters only to those who asked for what is in it
        if insist:
            raise
        return None
    newest = latest_adapter(folder)
    if newest is None:
        if not insist:
            return None
        known = stored_adapters(folder)
        if known:
            raise AdapterError(
                f"none of the {len(known)} adapters was promoted", where=str(folder / FOLDER),
                mend=f"choose one with `atlas adapters use {known[0].name}`, or name it as --adapter",
            )  # fmt: skip
        raise AdapterError(
            "there is no adapter yet", where=str(folder / FOLDER), mend="train one with `atlas train`, or use --adapter none"
        )
    found = latest_adapter(folder, base_hash())
    if found is None and insist:
        raise AdapterError(
            f"no promoted adapter was trained on {model} as it is now (the last one, {newest.name}, is for {newest.model})",
            where=str(folder / FOLDER),
            mend=f"run it with --model {newest.model}, or train one for {model}, or use --adapter none",
        )
    return found


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
