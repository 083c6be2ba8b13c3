"""What a command needs that plain installs leave out."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from ..runtime.errors import UsageError


def check_training(command: str) -> None:
    """Training needs more than running does. Raises `UsageError` naming what is missing and how to get it."""
    missing = [name for name in ("torch", "peft", "transformers", "gguf") if find_spec(name) is None]
    if missing:
        root = Path(__file__).resolve().parents[1]
        raise UsageError(
            f"training needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed",
            where=command,
            mend=f"install the extra: {sys.prefix}/bin/pip install -e '{root}[train]' -c {root}/constraints.txt",
        )  # fmt: skip
