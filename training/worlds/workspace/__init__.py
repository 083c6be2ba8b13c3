"""Workspace worlds: the built-in servers over generated folders, with tasks as people put them.

`workspace_world` is the way in. Every family of tasks has its own module; a phrasing, a name or a value that is held out
for scoring never occurs in the practice split.
"""

from .world import FAMILIES, workspace_world

__all__ = ["FAMILIES", "workspace_world"]
