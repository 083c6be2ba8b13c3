"""The errors of the sandbox.

    SandboxError                  anything the sandbox can explain; has `.where` and `.mend`
    ├── SandboxUnavailable        no worker can be started here, or a required layer of the lock is missing
    ├── SandboxClosed             a program was given to a sandbox whose block has ended
    ├── SandboxBusy               a second program was given to a sandbox while one was running
    └── ToolError                 raised by a host's `call`: the tool failed; programs see it as their own `ToolError`

What a program does wrong is never an exception here: it is the `Outcome` of its run.
"""

from __future__ import annotations


class SandboxError(Exception):
    """Something went wrong at `where`; `mend` says what to do next."""

    def __init__(self, message: str, *, where: str = "", mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.mend = mend


class SandboxUnavailable(SandboxError):
    """No worker can be started on this machine, or not with the locks that are required."""


class SandboxClosed(SandboxError):
    """The sandbox's block has ended."""


class SandboxBusy(SandboxError):
    """A sandbox runs one program at a time."""


class ToolError(SandboxError):
    """A tool failed. `kind` is a word such as `failed`, `not_found`, `invalid`, `denied` or `timeout`."""

    def __init__(self, message: str, kind: str = "failed", *, where: str = "", mend: str = "") -> None:
        super().__init__(message, where=where, mend=mend)
        self.kind = kind
