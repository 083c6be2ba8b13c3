"""What the toolbox says when a call cannot be done.

RegistryError
└── ToolboxError            a message that a small model can repair its program from, and a kind
                            (not_found, invalid, denied, exists, timeout, failed)
"""

from __future__ import annotations

from ..errors import RegistryError


class ToolboxError(RegistryError):
    """A tool of the toolbox could not do what it was asked; `str()` of it is `<message> [<kind>]`."""

    def __init__(self, message: str, kind: str = "invalid") -> None:
        super().__init__(message)
        self.kind = kind

    def __str__(self) -> str:
        return f"{self.message} [{self.kind}]"
