"""Random programs that end, of all constructs of the dialect; and random damage to programs."""

# ruff: noqa: E501
from __future__ import annotations

import random
from collections.abc import Callable

_ERRORS = ("ZeroDivisionError", "ValueError", "KeyError", "IndexError", "TypeError", "Exception", "(KeyError, TypeError)")
_WORDS = ("alpha", "beta 7", "", "Hello World", "a,b,c", "  pad ", "x=1", "éß", "12", "3.5")
NASTY = (
    "__class__", "_getattr_", "__builtins__", "@", "await ", "async ", "match x:\n case ", "*", "**", "lambda: ", ":=",
    "\ud800", "\0", "\uff3f\uff3fclass\uff3f\uff3f", "'", '"""', "f'{", "{", "}", "(" * 50, ")" * 50, "[" * 90, "\\", "\t",
    "\n", "    ", "if 1:", "class A:", "def f(_write_, /):", "nonlocal x", "global __x", "except* E:", "yield", "return",
    "import os", "from . import x", "9" * 5000, "1e999", "0o8", "$", "`", "!=", "<>", "->", "...", "type X = int",
    "\N{KELVIN SIGN}", "\u2028", "\ufeff", "# -*- coding: utf-7 -*-", "print", "del x", "x: int = ", "gi_frame", ".format",
    "t'{x}'", "case A(b=c):", "del __class__", "with a as b, c as d:", "raise X from Y", "x if y else", "not " * 200, "~" * 200,
)


class Maker:
    """Makes one program; the same seed makes the same one."""

    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)
        self.lines: list[str] = []
        self.count = 0
        self.ints, self.texts, self.lists, self.dicts = ["a"], ["s"], ["xs"], ["d"]
        self.functions: list[str] = []

    def program(self, statements: int = 8) -> str:
        """The text of it."""
        while True:
            source = self._program(statements)
            try:  # quotes within quotes, which older Pythons do not have
                compile(source, "<made>", "exec")
                return source
            except SyntaxError:
                self.__init__(self.choose.getrandbits(48))  # type: ignore[misc]

    def _program(self, statements: int) -> str:
        self.lines = ["a, s, xs, d = 3, 'seed', [3, 1, 2], {'k': 1, 'j': 2}"]
        for _ in range(statements):
            self._statement(0, 2)
        shown = ", ".join((*self.ints[:4], *self.texts[:3], *self.lists[:3], *self.dicts[:2]))
        self.lines.append(f"({shown})")
        return "\n".join(self.lines)

    # -- expressions

    def _new(self, kind: list[str], letter: str, depth: int) -> str:
        self.count += 1
        name = f"{letter}{self.count}"
        if depth == 0:
            kind.append(name)
        return name

    def _int(self, depth: int = 2) -> str:
        simple = [str(self.choose.randint(-9, 99)), self.choose.choice(self.ints), self.choose.choice(self.ints)]
        if depth <= 0:
            return self.choose.choice(simple)
        one, two = self._int(depth - 1), self._int(depth - 1)
        return self.choose.choice([
            *simple, f"({one} + {two})", f"({one} - {two})", f"({one} * {two} % 1009)", f"({one} // {two})", f"({one} % {two})",
            f"(abs({one}) % 5) ** 2", f"len({self._text(depth - 1)})", f"len({self._list(depth - 1)})", f"max({one}, {two})",
            f"({one} if {self._bool(depth - 1)} else {two})", f"sum({self._list(depth - 1)})", f"-{one}", f"({one} & {two})",
            f"({one} | {two})", f"{self._list(depth - 1)}[{one} % 3]", f"{self.choose.choice(self.dicts)}['k']",
            f"{self.choose.choice(self.dicts)}.get('q', {one})", f"(lambda v, w=2: v + w)({one})", f"int({self._text(0)})",
            f"({one} << (abs({two}) % 4))", f"round({one} / 7, 3)", f"ord({self._text(0)}[0])", f"divmod({one}, 7)[1]",
            f"next(iter({self._list(depth - 1)}), {one})", f"[{one}, {two}].index({one})", f"{self._call(one)}",
        ])  # fmt: skip

    def _call(self, argument: str) -> str:
        return f"{self.choose.choice(self.functions)}({argument})" if self.functions else f"int({argument})"

    def _bool(self, depth: int = 1) -> str:
        one, two = self._int(depth - 1), self._int(depth - 1)
        return self.choose.choice([
            f"{one} < {two}", f"{one} == {two}", f"{one} <= {two} < 50", f"not {self._text(0)}", f"{one} in {self._list(0)}",
            f"{self._text(0)} != {self._text(0)}", f"'k' in {self.choose.choice(self.dicts)}", f"isinstance({one}, int)",
            f"any(v > {one} for v in {self._list(0)})", f"{self._list(0)} and {one} or {two}", f"{one} is not None",
            f"{self._text(0)}.startswith('a')", f"all({self._list(0)})",
        ])  # fmt: skip

    def _text(self, depth: int = 1) -> str:
        simple = [repr(self.choose.choice(_WORDS)), self.choose.choice(self.texts)]
        if depth <= 0:
            return self.choose.choice(simple)
        one, two, number = self._text(depth - 1), self._text(depth - 1), self._int(depth - 1)
        return self.choose.choice([
            *simple, f"({one} + {two})[:40]", f"{one}.upper()", f"{one}.replace('a', 'o')", f"f'{{{number}:>5}}|'",
            f"f'{{{number}!r}} {{{one.replace(chr(39), chr(34))}}}'", f"str({number})", f"'%s-%d' % ({one}, {number})",
            f"'{{}}:{{n}}'.format({one}, n={number})", f"', '.join(str(v) for v in {self._list(0)})", f"{one}[::-1]",
            f"{one}.strip().title()", f"{one}.split(',')[0]", f"repr({self._list(0)})", f"{one} * (abs({number}) % 3)",
            f"json.dumps({self.choose.choice(self.dicts)}, sort_keys=True)", f"re.sub(r'[a-e]', '#', {one})",
        ])  # fmt: skip

    def _list(self, depth: int = 1) -> str:
        simple = [self.choose.choice(self.lists), "[4, 2, 9]"]
        if depth <= 0:
            return self.choose.choice(simple)
        one, number = self._list(depth - 1), self._int(depth - 1)
        return self.choose.choice([
            *simple, f"[v + {number} for v in {one}]", f"[v for v in {one} if v % 2]", f"sorted({one}, key=lambda v: -v)",
            f"{one}[1:]", f"{one}[::-1]", f"list(range(abs({number}) % 6))", f"[*{one}, {number}]", f"({one} + [{number}])[:9]",
            f"list(map(lambda v: v * 2 % 97, {one}))", f"[x for x, y in zip({one}, {one}) if x == y]",
            f"list({{v % 3: v for v in {one}}}.values())", f"sorted({{v % 5 for v in {one}}})",
            f"[len(w) for w in {self._text(0)}.split()]", f"list(itertools.accumulate({one}))",
            f"[i * v % 89 for i, v in enumerate({one})]", f"[n for _, n in collections.Counter({one}).most_common(2)]",
        ])  # fmt: skip

    # -- statements

    def _write(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def _block(self, depth: int, nesting: int) -> None:
        for _ in range(self.choose.randint(1, 2)):
            self._statement(depth, nesting - 1)

    def _statement(self, depth: int, nesting: int) -> None:
        simple = [self._assign, self._assign, self._change, self._show, self._change_item, self._unpack]
        compound = [self._if, self._for, self._while, self._try, self._function, self._class, self._match, self._generator]
        made: Callable[[int, int], None] = self.choose.choice(simple if nesting <= 0 else [*simple, *compound])
        made(depth, nesting)

    def _assign(self, depth: int, nesting: int) -> None:
        kind = self.choose.randint(0, 3)
        if kind == 0:
            value = self._int()
            self._write(depth, f"{self._new(self.ints, 'n', depth)} = {value}")
        elif kind == 1:
            value = self._text(2)
            self._write(depth, f"{self._new(self.texts, 't', depth)}: str = {value}")
        elif kind == 2:
            value = self._list(2)
            self._write(depth, f"{self._new(self.lists, 'l', depth)} = {value}")
        else:
            one, two = self._int(1), self._int(1)
            self._write(depth, f"{self._new(self.dicts, 'd', depth)} = {{'k': {one}, **{{'m': {two}}}}}")

    def _change(self, depth: int, nesting: int) -> None:
        name = self.choose.choice(self.ints)
        sign = self.choose.choice(["+=", "-=", "//=", "%=", "|=", "^="])
        self._write(depth, f"{name} {sign} {self._int(1)}")

    def _change_item(self, depth: int, nesting: int) -> None:
        made = [
            f"{self.choose.choice(self.dicts)}['k'] += {self._int(1)}", f"{self.choose.choice(self.lists)}[0] = {self._int(1)}",
            f"{self.choose.choice(self.dicts)}[{self._text(0)}] = {self._int(1)}", f"xs.append({self._int(1)})",
            f"d.setdefault('z', []).append({self._int(0)})", "xs.sort(reverse=True)", f"del {self.choose.choice(self.lists)}[0]",
            f"d.update(k={self._int(0)})", "xs[1:2] = [7, 8]", "d.pop('m', None)",
        ]  # fmt: skip
        self._write(depth, self.choose.choice(made))

    def _show(self, depth: int, nesting: int) -> None:
        made = self.choose.choice([self._int(), self._text(2), self._list(2), self._bool()])
        self._write(depth, f"print({made}, sep='|')")

    def _unpack(self, depth: int, nesting: int) -> None:
        values = f"[{self._int(1)}, {self._int(0)}, 5]"
        self._write(depth, f"{self._new(self.ints, 'u', depth)}, *rest = {values}")

    def _if(self, depth: int, nesting: int) -> None:
        self._write(depth, f"if {self._bool()}:")
        self._block(depth + 1, nesting)
        if self.choose.random() < 0.5:
            self._write(depth, f"elif {self._bool()}:")
            self._block(depth + 1, nesting)
            self._write(depth, "else:")
            self._block(depth + 1, nesting)

    def _for(self, depth: int, nesting: int) -> None:
        over = self.choose.choice([f"range({self.choose.randint(0, 4)})", f"list({self._list(1)})[:4]", "(1, 2)"])
        self.count += 1
        name = f"i{self.count}"
        self._write(depth, f"for {name} in {over}:")
        self._write(depth + 1, f"if {name} == {self.choose.randint(0, 5)}: {self.choose.choice(['break', 'continue', 'pass'])}")
        self._block(depth + 1, nesting)
        if self.choose.random() < 0.3:
            self._write(depth, "else:")
            self._write(depth + 1, f"if (found := {self._int(1)}) > 3: print(found)")

    def _while(self, depth: int, nesting: int) -> None:
        self.count += 1
        name = f"w{self.count}"
        self._write(depth, f"{name} = {self.choose.randint(0, 3)}")
        self._write(depth, f"while {name} > 0:")
        self._write(depth + 1, f"{name} -= 1")
        self._block(depth + 1, nesting)

    def _try(self, depth: int, nesting: int) -> None:
        self._write(depth, "try:")
        self._block(depth + 1, nesting)
        if self.choose.random() < 0.3:
            self._write(depth + 1, f"raise ValueError({self._text(0)})")
        self._write(depth, f"except {self.choose.choice(_ERRORS)} as error:")
        self._write(depth + 1, "print(type(error).__name__)")
        if self.choose.random() < 0.4:
            self._write(depth, "finally:")
            self._write(depth + 1, "print('finally')")

    def _function(self, depth: int, nesting: int) -> None:
        self.count += 1
        name = f"f{self.count}"
        self._write(depth, f"def {name}(p, q={self._int(0)}, *more, key=None):")
        self._write(depth + 1, f"inner = {self._int(1)}")
        self._write(depth + 1, "def bump(by=1):")
        self._write(depth + 2, "nonlocal inner")
        self._write(depth + 2, "inner += by")
        self._write(depth + 2, "return inner")
        self._write(depth + 1, f"if {self._bool()}: return p")
        self._write(depth + 1, f"return bump() + q if key is None else {self._int(1)}")
        if depth == 0:
            self.functions.append(name)
        self._write(depth, f"print({name}({self._int(0)}), {name}(1, 2, 3, key=4))")

    def _class(self, depth: int, nesting: int) -> None:
        self.count += 1
        name = f"C{self.count}"
        for line in (
            f"class {name}:", f"    total = {self._int(0)}", "    def __init__(self, v):", "        self.v = v",
            "        self.seen = []", "    def add(self, n):", "        self.v += n", "        self.seen.append(n)",
            "        return self", "    @property", "    def double(self):", "        return self.v * 2", "    def __repr__(self):",
            f"        return f'{name}({{self.v}})'", "    def __eq__(self, other):", "        return self.v == other.v",
            f"class S{name}({name}):", "    def add(self, n):", f"        return super().add(n + {self._int(0)})",
            f"o = S{name}({self._int(1)}).add({self._int(0)})", f"print(o, o.double, o == {name}(1), o.seen, {name}.total)",
        ):  # fmt: skip
            self._write(depth, line)

    def _match(self, depth: int, nesting: int) -> None:
        self._write(depth, f"match {self.choose.choice([self._int(1), self._list(1), 'd', self._text(1)])}:")
        for case in ("0 | 1", "[first, *others] if first", "{'k': found, **extra}", "str(words)", "int() as number", "_"):
            self._write(depth + 1, f"case {case}:")
            self._write(depth + 2, f"print({case[:4]!r})")

    def _generator(self, depth: int, nesting: int) -> None:
        self.count += 1
        name = f"g{self.count}"
        self._write(depth, f"def {name}(n):")
        self._write(depth + 1, "for i in range(n):")
        self._write(depth + 2, f"got = yield i * {self._int(0)}")
        self._write(depth + 1, f"yield from {self._list(1)}")
        self._write(depth, f"print(list({name}(abs({self._int(0)}) % 4)), sum({name}(2)))")


def damaged(source: str, choose: random.Random, others: list[str]) -> str:
    """`source` with some random damage."""
    for _ in range(choose.randint(1, 6)):
        at = choose.randint(0, len(source))
        until = min(len(source), at + choose.choice((0, 1, 3, 10, 60)))
        lines = source.split("\n")
        line = choose.randrange(len(lines))
        other = choose.choice(others)
        source = choose.choice((
            lambda a=at, u=until, s=source: s[:a] + choose.choice(NASTY) + s[u:],
            lambda a=at, u=until, s=source: s[:a] + s[u:],
            lambda a=at, u=until, s=source: s[:a] + s[a:u] * choose.randint(2, 30) + s[u:],
            lambda a=at, s=source, o=other: s[:a] + o[choose.randint(0, len(o)):][:40] + s[a:],
            lambda n=line, ls=lines, o=other: "\n".join([*ls[:n], *o.split("\n")[:3], *ls[n:]]),
            lambda n=line, ls=lines: "\n".join([*ls[:n], "    " + ls[n], *ls[n + 1:]]),
            lambda n=line, ls=lines: "\n".join([*ls[:n], *ls[n + 1:]]),
            lambda a=at, u=until, s=source: s[:a] + chr(choose.choice((0, 10, 34, 39, 92, 123, 0x5F, 0x2028, 0xD800, 0x1F600)))
            + s[u:],
        ))()[:20_000]  # fmt: skip
    return source
