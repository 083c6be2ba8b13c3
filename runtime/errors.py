"""The errors of the runtime.

    AtlasRuntimeError                 anything the runtime can explain; has `.where` and `.mend`
    ├── UsageError                    a wrong argument, option or setting (exit code 2)
    ├── BudgetError                   the prompt cannot be made to fit the token budget
    ├── EpisodeError                  an episode is missing, damaged or cannot be resumed
    │   ├── ReplayMismatch            a replayed program made a call that differs from the journal
    │   └── UnknownFate               a call was in flight when the run died, and only the user can say what to do
    ├── StoreError                    the episode store cannot be opened or written
    └── ModelError                    (runtime/policies/errors.py) a model or endpoint failed

Catch `AtlasRuntimeError` around `Runtime` to report any of them; a failed tool or program is not an exception
but part of the episode.
"""

from __future__ import annotations


class AtlasRuntimeError(Exception):
    """Something went wrong at `where`; `mend` says what to do next."""

    def __init__(self, message: str, *, where: str = "", mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.mend = mend
        if where or mend:
            self.add_note(" - ".join(filter(None, (where, mend))))  # for who reads a traceback


class UsageError(AtlasRuntimeError):
    """A wrong argument, option or setting."""


class BudgetError(AtlasRuntimeError):
    """The prompt cannot be made to fit the token budget."""


class EpisodeError(AtlasRuntimeError):
    """An episode is missing, damaged or cannot be resumed."""


class ReplayMismatch(EpisodeError):
    """A replayed program made a call that differs from the journal."""


class UnknownFate(EpisodeError):
    """A call was sent and its return never recorded: only the user can say whether it may be sent again."""


class StoreError(AtlasRuntimeError):
    """The episode store cannot be opened or written."""
