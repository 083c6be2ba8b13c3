"""Where Atlas keeps its state: `$ATLAS_HOME`, else the platform's user data folder; mode 0700."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import UsageError

RESULTS_FOLDER = "results"
"""Beside the log: a folder for each episode that kept results in files."""


def atlas_home() -> Path:
    """The folder of all state, made (readable by its owner only) when it is missing."""
    named = os.environ.get("ATLAS_HOME", "")
    if named:
        home = Path(named).expanduser()
    else:
        from platformdirs import user_data_path

        home = user_data_path("atlas", appauthor=False)
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as problem:
        raise UsageError(
            f"cannot make the folder for Atlas's state: {problem.strerror}",
            where=str(home),
            mend="set ATLAS_HOME to a folder that you can write to",
        ) from problem
    return home
