"""Random programs of calls: dependent and independent ones, in loops, branches, functions and `try`."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

TOOLS = {
    name: {"type": "object", "properties": {"n": {}, "k": {"type": "integer"}}, "required": ["n"]}
    for name in ("demo.read", "demo.size", "other.look", "demo.write")
}
READ_ONLY = ("demo.read", "demo.size", "other.look")


class Writer:
    """Writes one program."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.names = ["a", "b", "c", "d"]
        self.fresh = 0
        self.functions: list[str] = []

    def program(self) -> str:
        lines = ["a, b, c, d = 1, 2, 3, 4", "xs = [3, 1, 2]", "rows = [{'id': n, 'v': 0} for n in range(4)]", "out = []",
                 "table = {'p': 1, 'q': 2}"]  # fmt: skip
        if self.rng.random() < 0.4:
            lines += self.function()
        for _ in range(self.rng.randint(2, 6)):
            lines += self.statement(0, in_loop=False)
        return "\n".join([*lines, "answer([a, b, c, d, out, rows, table])"])

    def function(self) -> list[str]:
        name = self.new("f")
        body = self.block(1, in_loop=False)
        lines = [f"def {name}(a, b):", "    c, d = 5, 6", *body, f"    return {self.expression()}"]
        self.functions.append(name)
        return lines

    def new(self, stem: str) -> str:
        self.fresh += 1
        return f"{stem}{self.fresh}"

    def block(self, depth: int, *, in_loop: bool) -> list[str]:
        lines = [line for _ in range(self.rng.randint(1, 3)) for line in self.statement(depth, in_loop=in_loop)]
        return ["    " + line for line in lines]

    def simple(self) -> str:
        return self.rng.choice([*self.names, str(self.rng.randint(0, 9)), "xs[0]", "len(xs)", "table['p']", "rows[1]['id']"])

    def argument(self) -> str:
        kind = self.rng.random()
        if kind < 0.6:
            return self.simple()
        if kind < 0.9:
            return f"{self.simple()} + {self.simple()}"
        return f"xs[{self.simple()}]"

    def call(self, argument: str | None = None) -> str:
        tool = self.rng.choice(["demo.read", "demo.read", "demo.size", "other.look"])
        more = self.rng.choice(["", "", ", k=1"])
        return f"{tool}({argument if argument is not None else self.argument()}{more})"

    def any_of(self, *ways: Callable[[], T]) -> T:
        """What one of these writes."""
        return self.rng.choice(ways)()

    def expression(self) -> str:
        return self.any_of(
            *[self.call] * 4,
            lambda: f"{self.call()} + {self.call()}",
            lambda: f"{self.call()} // {self.simple()}",
            lambda: f"({self.call()} if {self.simple()} > 2 else {self.simple()})",
            lambda: f"({self.simple()} > 1 and {self.call()})",
            lambda: f"sum({self.call('n')} for n in {self.items()})",
            lambda: f"max([{self.call('n')} for n in {self.items()}{self.filter()}], default=0)",
        )

    def items(self) -> str:
        return self.rng.choice(["xs", "range(4)", "[1, 5, 2]", "(a, b, c)", "sorted(xs)", "list(table.values())", "set(xs)"])

    def filter(self) -> str:
        return self.rng.choice(["", "", " if n > 1", f" if n != {self.simple()}", f" if {self.call('n')} > 2"])

    def comprehension(self) -> str:
        return self.any_of(
            lambda: f"[{self.call('n')} for n in {self.items()}{self.filter()}]",
            lambda: f"[({self.call('n')}, {self.call('n + a')}) for n in {self.items()}]",
            lambda: f"sorted({{str(n): {self.call('n')} for n in {self.items()}{self.filter()}}}.items())",
            lambda: f"[{self.call('i + n')} // {self.simple()} for i, n in enumerate({self.items()})]",
            lambda: f"[{self.call('m * n')} for m in range(2) for n in {self.items()} if m != n]",
            lambda: f"[{self.call(self.call('n'))} for n in {self.items()}]",
        )

    def statement(self, depth: int, *, in_loop: bool) -> list[str]:
        target = self.rng.choice(self.names)
        kinds = ["assign", "assign", "assign", "comprehension", "print", "write", "row", "row", "append", "raise"]
        if depth < 2:
            kinds += ["for", "for", "for", "if", "try", "while"]
        if in_loop:
            kinds += ["break", "continue"]
        if self.functions:
            kinds += ["function"]
        kind = self.rng.choice(kinds)
        if kind == "assign":
            return [f"{target} {self.rng.choice(['=', '=', '+='])} {self.expression()}"]
        if kind == "comprehension":
            return [f"out.append({self.comprehension()})"]
        if kind == "print":
            return [f"print({self.expression()}, {self.simple()})"]
        if kind == "write":
            return [f"{target} = demo.write({self.argument()})"]
        if kind == "row":
            return [f"{name} = {self.call()}" for name in self.rng.sample(self.names, 3)]
        if kind == "append":
            return [f"out.append({self.expression()})"]
        if kind == "raise":
            return [f"assert {self.simple()} < 9, 'large'"]
        if kind == "function":
            return [f"{target} = {self.rng.choice(self.functions)}({self.simple()}, {self.simple()})"]
        if kind in ("break", "continue"):
            return [f"if {self.simple()} > {self.rng.randint(1, 7)}:", f"    {kind}"]
        return self.compound(kind, depth)

    def compound(self, kind: str, depth: int) -> list[str]:
        if kind == "for":
            return self.loop(depth)
        if kind == "if":
            test = self.rng.choice([f"{self.simple()} > 2", f"{self.call()} > {self.simple()}"])
            lines = [f"if {test}:", *self.block(depth + 1, in_loop=False)]
            return lines + (["else:", *self.block(depth + 1, in_loop=False)] if self.rng.random() < 0.5 else [])
        if kind == "try":
            handler = self.rng.choice(["except ToolError as e:", "except Exception as e:"])
            return ["try:", *self.block(depth + 1, in_loop=False), handler, "    out.append(type(e).__name__)"]
        count = self.new("count")
        return [f"{count} = 0", f"while {count} < 2:", f"    {count} += 1", *self.block(depth + 1, in_loop=True)]

    def loop(self, depth: int) -> list[str]:
        each = "for n in {}:".format
        return self.any_of(
            lambda: ["for row in rows:", f"    row['v'] = {self.call('row[' + repr('id') + ']')}"],
            lambda: [each(self.items()), "    m = n + a", f"    b2 = {self.call('m')}", "    out.append(b2)"],
            lambda: [each(self.items()), f"    if {self.call('n')} > {self.simple()}:", "        out.append(n)"],
            lambda: ["for key, n in table.items():", f"    out.append((key, {self.call('n')}))"],
            lambda: [each(self.items()), f"    d += {self.call('n')}", f"    print(n, {self.call('n + b')})"],
            *[lambda: [each(self.items()), *self.block(depth + 1, in_loop=True)]] * 3,
        )


def program(seed: int) -> str:
    """The program of a seed."""
    return Writer(seed).program()
