"""What a command needs that plain installs leave out."""

from __future__ import annotations

from importlib.util import find_spec

from ..runtime.errors import UsageError


def check_training(command: str) -> None:
    """Training needs more than running does. Raises `UsageError` naming what is missing and how to get it."""
    missing = [name for name in ("torch", "peft", "transformers", "gguf") if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"training needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed",
            where=command, mend="install the extra: .venv/bin/pip install -e '.[train]' -c constraints.txt",
        )  # fmt: skip
