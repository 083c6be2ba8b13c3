"""The rules of the house: who may import whom, what is public, what the package holds, and what it never says."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import atlas

ROOT = Path(atlas.__file__).resolve().parent
ROOMS = ("runtime", "sandbox", "tools_registry", "training", "commands")
MAY_IMPORT = {
    "sandbox": set[str](),
    "tools_registry": set[str](),
    "runtime": {"sandbox", "tools_registry"},
    "training": {"runtime", "sandbox", "tools_registry"},
    "commands": {"training", "runtime", "sandbox", "tools_registry"},
    "cli": {"commands", "training", "runtime", "sandbox", "tools_registry"},
}
HEAVY = ("torch", "llama_cpp", "mcp", "duckdb", "numpy", "httpx")


def modules() -> Iterator[Path]:
    """Every module of the package."""
    yield from sorted(ROOT.glob("*.py"))
    for room in ROOMS:
        yield from sorted((ROOT / room).rglob("*.py"))


def room_of(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    return parts[0] if len(parts) > 1 else path.stem


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything imported; relative imports are resolved to `atlas.…`."""
    package = ["atlas", *path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            target = ".".join([*base, node.module or ""]).rstrip(".")
            yield from ((node.lineno, f"{target}.{name.name}") for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""


def test_imports_follow_the_arrows():
    wrong = []
    for path in modules():
        room = room_of(path)
        allowed = MAY_IMPORT.get(room, set(ROOMS)) | {room}
        for line, name in imported(path):
            target = name.split(".")[1:2]
            if name.startswith("atlas.") and target and target[0] in ROOMS and target[0] not in allowed:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    assert not wrong


def test_imports_inside_the_package_are_relative():
    absolute = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] == "atlas")
        or (isinstance(node, ast.Import) and any(name.name.split(".")[0] == "atlas" for name in node.names))
    ]
    assert not absolute


def test_only_training_imports_torch():
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in modules()
        if room_of(path) != "training"
        for line, name in imported(path)
        if name.split(".")[0] == "torch"
    ]
    assert not wrong


def test_everything_public_can_be_imported_and_nothing_else_is_public():
    assert list(atlas.__all__) == sorted(atlas.__all__, key=str.lower) or set(atlas.__all__) == set(dir(atlas))
    for name in atlas.__all__:
        assert getattr(atlas, name) is not None
    documented = {"Episode", "Limits", "Outcome", "Runtime", "Sandbox", "ToolError", "__version__", "run"}
    assert set(atlas.__all__) == documented


@pytest.mark.parametrize(
    "statement",
    [
        "import atlas",
        "from atlas.cli import invoke; invoke(['--help'])",
        "open('p.py', 'w').close(); from atlas.cli import invoke; invoke(['exec', 'p.py'])",
    ],
)
def test_starting_up_loads_nothing_heavy(statement: str, tmp_path: Path):
    program = f"import sys\n{statement}\nprint([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True)
    assert done.stderr.strip() == "[]"


def test_the_list_of_packages_is_what_is_on_disk():
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = set(configuration["tool"]["setuptools"]["packages"])
    folders = {path.parent for room in ROOMS for path in (ROOT / room).rglob("__init__.py")}
    assert listed == {"atlas"} | {".".join(["atlas", *folder.relative_to(ROOT).parts]) for folder in folders}


def test_every_module_has_a_docstring():
    without = [
        str(path.relative_to(ROOT))
        for path in modules()
        if (tree := ast.parse(path.read_text(encoding="utf-8"))).body and not ast.get_docstring(tree)
    ]
    assert not without


def test_pins_name_versions_only():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert pins
    for pin in pins:
        name, separator, version = pin.partition("==")
        assert separator and name and not set(version) & set("+@/: "), pin
