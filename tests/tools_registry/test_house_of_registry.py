"""What importing the room costs, and what it shows."""

import subprocess
import sys

import atlas.tools_registry as room
from atlas.tools_registry import errors


def test_every_public_name_is_there_and_sorted() -> None:
    assert room.__all__ == sorted(room.__all__)
    for name in room.__all__:
        assert getattr(room, name).__name__ == name


def test_all_errors_are_public_and_in_the_tree_of_the_docstring() -> None:
    family = {
        name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.RegistryError)
    }
    assert family <= set(room.__all__)
    for name in family:
        assert name in (errors.__doc__ or "")


def test_importing_the_room_loads_nothing_heavy() -> None:
    code = (
        "import sys, atlas.tools_registry as room\n"
        "assert room.load_config and room.ToolIndex and room.stub and room.Registry and room.Catalogue\n"
        "loaded = {'mcp', 'mcp_types', 'pydantic', 'jsonschema', 'httpx2', 'json5', 'torch', 'duckdb'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
