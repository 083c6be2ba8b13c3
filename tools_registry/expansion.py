"""`${VAR}` and its relatives in server configurations: what MCP hosts understand between them.

`${VAR}`, `${VAR:-default}`, `${env:VAR}`, `${env:VAR:-default}`, `${userHome}`, `${workspaceFolder}`,
`${workspaceFolderBasename}`, `${pathSeparator}` and `${input:id}` (taken from the environment variable `ID`). A bare
`$VAR` is left as it is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_REFERENCE = re.compile(r"\$\{([^{}]*)\}")


class UnsetVariable(Exception):
    """A reference that has no value and no default."""

    def __init__(self, variable: str, reference: str) -> None:
        super().__init__(variable)
        self.variable = variable
        self.reference = reference


@dataclass(frozen=True)
class Expander:
    """Replaces the references in a text, with values from `environment` and the workspace folder."""

    environment: Mapping[str, str]
    workspace: Path

    def expand(self, text: str) -> str:
        """Return `text` with every reference replaced. Raises `UnsetVariable`."""
        return _REFERENCE.sub(lambda match: self._value(match.group(1), match.group(0)), text)

    def _value(self, inside: str, reference: str) -> str:
        fixed = {
            "userHome": str(Path.home()),
            "workspaceFolder": str(self.workspace),
            "workspaceFolderBasename": self.workspace.name,
            "pathSeparator": os.sep,
        }
        if inside in fixed:
            return fixed[inside]
        name, has_default, default = inside.removeprefix("env:").partition(":-")
        if name.startswith("input:"):
            name = re.sub(r"\W", "_", name.removeprefix("input:")).upper()
        value = self.environment.get(name, "")
        if value or (name in self.environment and not has_default):
            return value
        if has_default:
            return default
        raise UnsetVariable(name, reference)
