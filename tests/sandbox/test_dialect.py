"""Programs that must work give what CPython gives; what does not work says so in Python's words, with a way out."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest

from atlas.sandbox import Limits, Sandbox

from . import dialect_corpus as corpus
from . import dialect_tools as tools
from . import support
from .dialect_programs import PROGRAMS


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Limits(wall_seconds=20)) as opened:
        yield opened


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_gives_what_cpython_gives(sandbox: Sandbox, name: str) -> None:
    support.agrees(sandbox, PROGRAMS[name], support.cpython(PROGRAMS[name]))


def test_programs_as_models_write_them_are_accepted_and_give_what_cpython_gives() -> None:
    programs = corpus.programs()
    different: dict[str, str] = {}
    with support.forgetful(Limits(wall_seconds=20)) as (sandbox, forget):
        for name, source in programs.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)
                expected = tools.cpython(source)
            forget()
            outcome = sandbox.run(source, tools.schemas(), tools.call)
            if support.difference(outcome, expected) is not None:
                different[name] = str(outcome.error or outcome)
    assert len(programs) >= 500
    assert len(different) <= 0.02 * len(programs), different
    assert different == {}  # nothing in it is known to be refused


REFUSED = {
    "import os\nos.listdir('.')": ("NotAllowed", 1, "use the files tools"),
    "x = 1\nimport random": ("NotAllowed", 2, "programs are repeatable"),
    "from csv2 import reader": ("NotAllowed", 1, "there are"),
    "class A:\n    def __init__(self):\n        self._items = []": ("NotAllowed", 3, "write 'items'"),
    "x = []\n\nx.__class__": ("NotAllowed", 3, "use type(x)"),
    "def f(:\n    pass": ("SyntaxError", 1, "def f(:"),
    "print 'x'": ("SyntaxError", 1, "Missing parentheses"),
    "if True:\nprint(1)": ("SyntaxError", 2, "expected an indented block"),
    "return 5": ("SyntaxError", 1, "outside function"),
    "class A(metaclass=type): pass": ("NotAllowed", 1, "keywords in a class"),
    "match 1:\n    case object(x=1):\n        pass": ("NotAllowed", 2, "use isinstance"),
    "try:\n    pass\nexcept* ValueError:\n    pass": ("NotAllowed", 1, "except* is not available"),
    "from math import *": ("NotAllowed", 1, "import the names you need"),
}


@pytest.mark.parametrize("source", REFUSED)
def test_a_refusal_names_the_line_and_a_way_out(sandbox: Sandbox, source: str) -> None:
    kind, line, text = REFUSED[source]
    outcome = sandbox.run(source)
    assert outcome.status == "refused" and outcome.error is not None, outcome
    assert (outcome.error.type, outcome.error.line) == (kind, line), outcome.error
    assert text in outcome.error.message, outcome.error


ERRORS = {
    "numbers = [1]\nprint(sum(nubmers))": ("NameError", 2, "did you mean 'numbers'"),
    "row = {'name': 1}\nrow.name": ("AttributeError", 2, "did you mean ['name']"),
    "'a'.uper()": ("AttributeError", 1, "did you mean 'upper'"),
    "class A:\n    def total(self): return 1\nA().totl()": ("AttributeError", 3, "did you mean 'total'"),
    "json.dump({})": ("AttributeError", 1, "did you mean 'json.dumps'"),
    "datetime.now()": ("AttributeError", 1, "did you mean 'datetime.datetime"),
    "open('a.txt').read()": ("NameError", 1, "tools such as files.read"),
    "x = input('?')": ("NameError", 1, "nobody can answer"),
    "demo.ecko('x')": ("AttributeError", 1, "did you mean demo.echo"),
    "echo('x')": ("NameError", 1, "did you mean 'demo.echo'"),
    "demo.echo(txt='x')": ("TypeError", 1, "did you mean 'text'"),
    "demo.echo()": ("TypeError", 1, "missing the required argument 'text'"),
    "x = 10 ** 10 ** 10": ("OverflowError", 1, "at most 4,000,000"),
    "x = 1\nx <<= 10 ** 9": ("OverflowError", 2, "bits"),
    "pow(2, 10 ** 9)": ("OverflowError", 1, "bits"),
    "math.factorial(10 ** 7)": ("OverflowError", 1, "factorial"),
    "math.comb(10 ** 9, 10 ** 6)": ("OverflowError", 1, "comb"),
    "str(10 ** 5000)": ("ValueError", 1, "4300"),
    "{}['missing']": ("KeyError", 1, "'missing'"),
    "int('x')": ("ValueError", 1, "invalid literal for int() with base 10: 'x'"),
    "'{} {1}'.format(1, 2)": ("ValueError", 1, "cannot switch from automatic field numbering"),
    "'{2}'.format(1)": ("IndexError", 1, "Replacement index 2 out of range"),
    "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass A:\n    x: int = 1\nA().x = 2": (
        "FrozenInstanceError", 5, "cannot assign to field 'x'"),
    "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: list = []": ("ValueError", 2, "default_factory"),
    "from abc import ABC, abstractmethod\nclass A(ABC):\n    @abstractmethod\n    def f(self): ...\nA()": (
        "TypeError", 5, "abstract"),
}  # fmt: skip


@pytest.mark.parametrize("source", ERRORS)
def test_an_error_reads_as_python_has_it_with_a_suggestion(sandbox: Sandbox, source: str) -> None:
    kind, line, text = ERRORS[source]
    outcome = sandbox.run(source, support.ECHO, support.give_back)
    assert outcome.status in ("error", "refused") and outcome.error is not None, outcome
    assert (outcome.error.type, outcome.error.line) == (kind, line), outcome.error
    assert text in outcome.error.message, outcome.error


def test_sleeping_takes_the_wall_clock_and_wakes_in_order() -> None:
    source = (
        "import asyncio\nseen = []\nasync def one(name, delay):\n    await asyncio.sleep(delay)\n    seen.append(name)\n"
        "await asyncio.gather(one('b', 0.02), one('a', 0.01), one('c', 0.03))\nseen"
    )
    with Sandbox() as sandbox:
        assert sandbox.run(source).value == ["a", "b", "c"]
    with Sandbox(Limits(wall_seconds=0.3)) as sandbox:
        for endless in ("import time\ntime.sleep(10 ** 6)", "import asyncio\nawait asyncio.sleep(10 ** 6)"):
            outcome = sandbox.run(endless)
            assert outcome.status == "limit" and outcome.error is not None and outcome.error.type == "wall_seconds"


def test_a_semaphore_lets_so_many_in_at_a_time() -> None:
    source = (
        "import asyncio\nsemaphore = asyncio.Semaphore(2)\ninside = most = 0\n"
        "async def one():\n    global inside, most\n    async with semaphore:\n        inside += 1\n"
        "        most = max(most, inside)\n        await asyncio.sleep(0)\n        inside -= 1\n"
        "await asyncio.gather(*[one() for _ in range(7)])\n(most, inside)"
    )
    with Sandbox(Limits(wall_seconds=5)) as sandbox:
        assert sandbox.run(source).value == [2, 0]


def test_an_enumeration_and_imported_shapes_are_told_as_what_they_are() -> None:
    with Sandbox(Limits(wall_seconds=5)) as sandbox:
        outcome = sandbox.run("from enum import Enum\nfrom typing import NamedTuple\nclass C(Enum):\n    A = 1")
        assert outcome.variables == {"C": "class C"}
