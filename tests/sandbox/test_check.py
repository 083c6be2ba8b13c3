"""What is certain to fail is refused before anything is done; what would have run well is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from atlas.sandbox import Limits, Outcome, Sandbox, ToolError
from atlas.training.worlds.base import WorldToolError
from atlas.training.worlds.composed import composed_world
from atlas.training.worlds.workspace.world import workspace_world

from . import support
from .dialect_programs import PROGRAMS

TEXT = {"type": "string"}
TOOLS: dict[str, dict[str, Any]] = {
    "files.read": {"properties": {"path": TEXT}, "required": ["path"]},
    "files.write": {"properties": {"path": TEXT, "content": TEXT}, "required": ["path", "content"]},
    "files.list": {"properties": {"path": {"type": "string", "default": "."}}},
    "text.count": {"properties": {"path": TEXT, "what": {"type": "string", "enum": ["lines", "words"]}},
                   "required": ["path"]},
    "units.convert": {"properties": {"value": {"type": "number"}, "places": {"type": "integer"}}, "required": ["value"]},
    "crm.tag": {"required": ["names"], "properties": {
        "names": {"type": "array", "items": TEXT}, "flag": {"type": "boolean"}, "free": {},
        "more": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    }},
    "loose.any": {"properties": {}, "additionalProperties": True},
    "load_tools": {"properties": {"names": {"type": "array"}}, "x-variadic": "names"},
}  # fmt: skip
WRITE = "files.write(path='a.txt', content='x')\n"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Limits(wall_seconds=20)) as opened:
        yield opened


@pytest.fixture
def empty() -> Iterator[Sandbox]:
    with Sandbox(Limits(wall_seconds=20)) as opened:
        yield opened


def _run(sandbox: Sandbox, source: str) -> Outcome:
    outcome: Outcome = sandbox.run(source, TOOLS, support.give_back)
    return outcome


REFUSED = [
    ("files.raed(path='a.txt')", "AttributeError", "server 'files' has no tool 'raed'; did you mean files.read"),
    ("x = [1]\nfor n in [1, 2]:\n    files.raed(n)", "AttributeError", "did you mean files.read"),
    ("if files.exists('a'):\n    pass", "AttributeError", "server 'files' has no tool 'exists'"),
    ("file.read(path='a.txt')", "NameError", "name 'file' is not defined; did you mean 'files'?"),
    ("read(path='a.txt')", "NameError", "did you mean 'files.read'?"),
    ("f = files.reed", "AttributeError", "did you mean files.read"),
    ("files.read()", "TypeError", "missing the required argument 'path'"),
    ("files.read('a', 'b')", "TypeError", "takes (path), but 2 positional arguments were given"),
    ("files.read(pth='a')", "TypeError", "unexpected keyword argument 'pth'; did you mean 'path'?"),
    ("files.read('a', path='b')", "TypeError", "multiple values for argument 'path'"),
    ("files.read(path=5)", "ToolError", "files.read: parameter 'path': 5 is not of type 'string'"),
    ("files.read(path=['a'])", "ToolError", "['a'] is not of type 'string'"),
    ("files.read(path=None)", "ToolError", "None is not of type 'string'"),
    ("units.convert('12')", "ToolError", "parameter 'value': '12' is not of type 'number'"),
    ("units.convert(True)", "ToolError", "True is not of type 'number'"),
    ("units.convert(1, places=1.5)", "ToolError", "1.5 is not of type 'integer'"),
    ("units.convert(f'{1}')", "ToolError", "is not of type 'number'"),
    ("text.count('a', what='pages')", "ToolError", "'pages' is not one of ['lines', 'words']"),
    ("crm.tag('a')", "ToolError", "'a' is not of type 'array'"),
    ("crm.tag(['a', 1])", "ToolError", "parameter 'names[1]': 1 is not of type 'string'"),
    ("crm.tag([], more='x')", "ToolError", "'x' is not of type 'integer', 'null'"),
    ("crm.tag([], flag='yes')", "ToolError", "'yes' is not of type 'boolean'"),
    ("print(later)\nlater = 1", "NameError", "name 'later' is not defined"),
    ("total += 1\ntotal = 0", "NameError", "name 'total' is not defined"),
    ("[n for n in [1]]\nprint(n)", "NameError", "name 'n' is not defined"),
    ("def f():\n    print(x)\n    x = 1\nf()", "UnboundLocalError", "local variable 'x'"),
    ("def main():\n    files.raed('a')\nmain()", "AttributeError", "did you mean files.read"),
    ("def main():\n    return helper()\ndef helper():\n    files.raed('a')\nprint(main())", "AttributeError", "files.read"),
    ("import asyncio\nasync def main():\n    await files.raed('a')\nasyncio.run(main())", "AttributeError", "files.read"),
    ("async def main():\n    await files.raed('a')\nawait main()", "AttributeError", "files.read"),
    ("await files.read(pth='a')", "TypeError", "did you mean 'path'?"),
    ("try:\n    x = 1\nexcept ValueError:\n    x = 2\nfiles.raed(x)", "AttributeError", "files.read"),
    ("for n in range(3):\n    if n:\n        break\nfiles.raed('a')", "AttributeError", "files.read"),
    ("search_tools('rates')", "NameError", "name 'search_tools' is not defined; this run has load_tools"),
    ("datetime.now()", "AttributeError", "did you mean 'datetime.datetime.now'?"),
    ("open('a.txt')", "NameError", "tools such as files.read"),
    ("x = files.list() and files.nope()\nprint(heapq)", "NameError", "write `import heapq` first"),
    ("try:\n    files.raed('a')\nfinally:\n    print(1)", "AttributeError", "files.read"),
    ("[files.raed(p) for p in ['a']]", "AttributeError", "files.read"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "kind", "text"), REFUSED)
def test_what_is_certain_to_fail_is_refused_before_anything_is_done(
    sandbox: Sandbox, source: str, kind: str, text: str
) -> None:
    outcome = _run(sandbox, WRITE + source)
    assert (outcome.status, outcome.calls) == ("refused", []), outcome
    assert outcome.error is not None and outcome.error.type == kind and text in outcome.error.message
    assert outcome.error.line is not None and outcome.error.line >= 2


def test_the_words_are_those_of_the_error_that_it_would_have_met(sandbox: Sandbox) -> None:
    with Sandbox(check=False) as unchecked:
        for source, kind, _ in REFUSED:
            if kind == "ToolError" or "async" in source or source.startswith("try"):
                continue  # the first is said by the registry, in the same words
            failed = _run(unchecked, source)
            assert (failed.status, failed.error) == ("error", _run(sandbox, source).error), source
            _run(unchecked, "\n".join(f"del {name}" for name in failed.variables))


def test_arguments_are_refused_in_the_words_of_the_registry(sandbox: Sandbox) -> None:
    from atlas.tools_registry.arguments import ArgumentValidator
    from atlas.tools_registry.errors import ArgumentError
    from atlas.tools_registry.tool import Tool

    calls = [("units.convert", {"value": "12"}), ("text.count", {"path": "a", "what": "pages"}), ("files.read", {"path": 5})]
    for name, arguments in calls:
        tool = Tool(*name.split("."), "", {"type": "object"} | TOOLS[name])
        with pytest.raises(ArgumentError) as caught:
            ArgumentValidator().validate(tool, arguments)
        outcome = _run(sandbox, f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})")
        assert outcome.error is not None and outcome.error.message == caught.value.message


def test_several_mistakes_are_told_at_once(sandbox: Sandbox) -> None:
    outcome = _run(sandbox, "files.raed('a')\nx = 1\nfiles.read(pth=x)\nnope(x)")
    assert outcome.error is not None and outcome.error.line == 1
    assert "line 3: files.read() got an unexpected keyword argument 'pth'" in outcome.error.message
    assert "line 4: name 'nope' is not defined" in outcome.error.message


ACCEPTED = [
    "if False:\n    files.raed('a')",
    "for n in files.list():\n    pass\nelse:\n    n = 1\nn",
    "for p in []:\n    files.raed(p)",
    "paths = []\n[files.raed(p) for p in paths]",
    "try:\n    files.raed('a')\nexcept AttributeError:\n    pass",
    "try:\n    files.read(path=5)\nexcept Exception as e:\n    print(e)",
    "try:\n    x = undefined\nexcept NameError:\n    x = 1\nx",
    "try:\n    import numpy as np\nexcept ImportError:\n    np = None\nprint(np)",
    "def unused():\n    files.raed('a')\n    undefined()",
    "def early(n):\n    if n:\n        return 1\n    files.raed('a')\nearly(1)",
    "def looping():\n    while True:\n        return 1\n    files.raed('a')\nlooping()",
    "def gen():\n    files.raed('a')\n    yield 1\ngen()",
    "async def main():\n    files.raed('a')\n1",
    "True or files.raed('a')",
    "False and undefined",
    "1 if True else undefined",
    "f = lambda: files.raed('a')",
    "x = undefined if files.list() else 1",
    "1 > 2 > undefined",
    "hasattr(files, 'raed'), getattr(files, 'raed', None)",
    "arguments = {'path': 'a'}\nfiles.read(**arguments)",
    "arguments = ['a']\nfiles.read(*arguments)",
    "files = {'raed': 1}\nfiles['raed']",
    "def use(files):\n    return files.raed\nclass C:\n    raed = 1\nuse(C())",
    "for files in ['a']:\n    print(files.upper())\ndel files",
    "if not files.list():\n    y = 1\ny",
    "while True:\n    z = 1\n    break\nz",
    "def setter():\n    global made\n    made = 1\nsetter()\nmade",
    "if (w := 5) > 3:\n    pass\nw",
    "[last := n for n in [1, 2]]\nlast",
    "match [1, 2]:\n    case [q, *r]:\n        pass\nq, r",
    "def outer():\n    inner_name = 1\n    def inner():\n        return inner_name\n    return inner()\nouter()",
    "def late():\n    return defined_later\ndefined_later = 1\nlate()",
    "def f():\n    for i in []:\n        v = i\n    return 1\nf()",
    "def f(x):\n    if x:\n        y = 1\n    return y\nf(1)",
    "class Thing:\n    n = 1\n    m = n + 1\nThing.m",
    "with_suffix = [p + '.md' for p in 'ab' if p]\nwith_suffix",
    "units.convert(1, places=2.0), units.convert(1.5, places=None), units.convert(-3)",
    "crm.tag(('a', 'b'), more=None, flag=None, free={'x': [1]}), crm.tag([str(1), *'ab'])",
    "loose.any(whatever=1)",
    "load_tools('a', ['b'], *['c'])",
    "text.count('a', 'words'), text.count('a', what=None)",
    "import json as files\nfiles.dumps([1])",
    "from collections import Counter as text\ntext('aab')",
    "def deep(n):\n    return n and deep(n - 1)\ndeep(3)",
    "x: int\ny: Undefined = 1\ny",
    "def f(a, b=1, *c, d, **e):\n    return a, b, c, d, e\nf(1, d=2)",
    "def swallow():\n    try:\n        files.raed('a')\n    finally:\n        return 1\nswallow()",
    "class Quiet:\n    def __enter__(self):\n        return self\n    def __exit__(self, *a):\n        return True\n"
    "with Quiet():\n    files.raed('a')",
    "__name__",
    "print('a' 'b', sep='')",
]  # fmt: skip


@pytest.mark.parametrize("source", ACCEPTED)
def test_what_would_have_run_well_is_not_refused(empty: Sandbox, source: str) -> None:
    outcome = _run(empty, source)
    assert outcome.status == "ok", outcome.error
    _run(empty, "\n".join(f"del {name}" for name in outcome.variables))


def test_names_of_earlier_programs_are_known() -> None:
    with Sandbox() as sandbox:
        _run(sandbox, "kept = 1\ndef helper(): return kept\nfiles = files.list()")
        assert _run(sandbox, "helper() + kept").value == 2
        assert _run(sandbox, "files.raed").status == "error"  # it is a variable now, and says what it hides
        assert _run(sandbox, "del files\nfiles.read('a')").status == "ok"


def test_a_refused_program_leaves_the_variables_as_they_were() -> None:
    with Sandbox() as sandbox:
        _run(sandbox, "kept = 1")
        outcome = _run(sandbox, "kept = 2\nfiles.raed('a')")
        assert outcome.status == "refused" and outcome.variables == {"kept": "int: 1"}
        assert _run(sandbox, "kept").value == 1


@pytest.mark.parametrize("name", [name for name in PROGRAMS if "uncaught" not in name])
def test_no_program_of_the_dialect_is_refused(sandbox: Sandbox, name: str) -> None:
    assert sandbox.run(PROGRAMS[name], support.ECHO, support.give_back).status == "ok"


@pytest.mark.parametrize("make", [composed_world, workspace_world])
def test_no_reference_program_of_a_world_is_refused(make: Any) -> None:
    functions = {"search_tools": {"properties": {"query": TEXT, "k": {"type": "integer"}}, "required": ["query"]},
                 "load_tools": TOOLS["load_tools"]}  # fmt: skip
    ran = 0
    for seed in range(5):
        world = make(seed, "practice")
        tools = {tool.full_name: tool.program_schema for tool in world.tools} | functions
        for task in world.tasks:
            state = world.open()

            def call(tool: str, arguments: dict[str, Any], state: Any = state) -> Any:
                if tool in functions:
                    return []
                try:
                    return state.call(tool, arguments)
                except WorldToolError as error:
                    raise ToolError(error.message, error.kind) from None

            with Sandbox() as sandbox:
                for program in task.programs:
                    outcome = sandbox.run(program, tools, call)
                    assert outcome.status in ("ok", "error"), (task.text, program, outcome.error)
                    ran += 1
            state.close()
    assert ran > 40
