"""The name constraint: only existing tool and parameter names come out, and nothing else is touched."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas.runtime.policies.base import Sampling
from atlas.runtime.policies.name_state import CODE, NameState
from atlas.runtime.policies.name_table import Names, NameTable
from atlas.runtime.policies.names import NameConstraint
from atlas.runtime.policies.pieces import PieceIndex
from atlas.runtime.policies.sampling import Sampler

NAMES = Names(
    {
        "files.find": ["pattern"],
        "files.find_all": ["pattern", "limit"],
        "files.read": ["path"],
        "text.count": ["path", "what"],
        "crm.list": [],
        "answer": ["value"],
    }
)
STRICT = Names(NAMES.tools, variables=("rows", "total"))
WHOLE = Names(
    NAMES.tools,
    ("rows", "total"),
    frozenset({"price"}),
    required={
        "files.find": [],
        "files.find_all": ["pattern"],
        "files.read": ["path"],
        "text.count": ["path", "what"],
        "crm.list": [],
    },
)
KEYED = Names(NAMES.tools, ("rows", "total"), keys=frozenset({"price", "unit price", "name"}))

# Pieces that cross every boundary, then all bytes, then random fragments of programs.
AWKWARD = [
    "files",
    "files.",
    " files.",
    "files.fi",
    "files.find",
    ".find",
    ".find(",
    'rows["',
    '["',
    "['",
    '"]',
    "price",
    'price"]',
    "pric",
    "unit pr",
    "ice']",
    '"][',
    '"] == rows["name"]',
    "rows[0]",
    ".find(pat",
    ".foo",
    ".findx",
    "nd",
    "_all",
    "find_all(",
    "(pattern",
    "(pattern=",
    "(path",
    "(path=",
    ", what",
    ", what=",
    ',what="',
    "pattern",
    " pattern",
    "pattern=",
    " pattern =",
    "pat",
    "tern",
    "=",
    " =",
    "==",
    " ==",
    '="',
    "='",
    "limit",
    ", limit=",
    "path",
    " path",
    "what",
    "x",
    "rows",
    "total",
    "(rows",
    "(row",
    ", 3",
    '")',
    '"',
    "'",
    '"""',
    "'''",
    "#",
    "\n",
    "\n    ",
    "\n\n",
    "text",
    "text =",
    "text = ",
    "text.",
    ".count(",
    "for text in ",
    "crm.list()",
    "crm.",
    "list",
    "().",
    ").",
    ")",
    "(",
    "[",
    "]",
    "{",
    "}",
    ":",
    " ",
    "  ",
    "print(",
    "answer(",
    "answer",
    "(value",
    "value=",
    "in",
    " in ",
    " not",
    "if ",
    "= zzz",
    " = ",
    "I will",
    " use",
    "```python\n",
    "```",
    "<think>",
    "</think>",
    "def f(",
    "lambda",
    "*",
    "**",
    'f"',
    "f",
    "not ",
    "None",
    "\\",
    '\\"',
    ".split(",
    "é",
    "\nfiles.foo",
    "\nx=",
    "# a\nx=",
    '"",y=',
    ", z=",
    "(z=",
    "x=1, y=",
    "files.read(path=",
    "a.files.b",
]
PIECES = [*(text.encode() for text in AWKWARD), *(bytes((byte,)) for byte in range(256)), b"", b"<|end|>"]
END = len(PIECES) - 1
INDEX = PieceIndex(PIECES, control=[END])


def write(names: Names, text: str) -> bool:
    """Whether `text` may be written from the start of a reply."""
    return NameState(NameTable(names)).feed(text.encode())


def write_by_bytes(names: Names, text: str) -> bool:
    """The same, a byte at a time: a word is judged where its place was written before it."""
    state = NameState(NameTable(names))
    judged = [state.feed(bytes((byte,))) for byte in text.encode()]
    return all(judged)


@pytest.mark.parametrize(
    "program",
    [
        'print(files.find(pattern="**/*.md"))',
        "f = files.find\nf('x')",
        'for p in files.find("*"):\n    t = text.count(path=p, what="lines")',
        "files.read(path)",
        "files.read(path==x)",
        'files.read (path="a")',
        'files.find(\n    # foo=\n    pattern="x",\n)',
        'text = files.read(path="a")\ntext.split("x")',
        "for text in []:\n    text.strip()",
        "[text.strip() for text in x]" if False else "x = [t.strip() for t in y]",
        'x = "files.foo"\ny = """\nfiles.bar"""',
        "# files.foo\nx = f'{files.foo}'",
        "self.files.foo()",
        "I will use files.foo to look.\nThen files of text.bar",
        "<think>files.foo(bar=1)</think>\nfiles.find('x')",
        "```python\nfiles.find(pattern='x')\n```",
        "dict(a=1, b=files.find(pattern=dict(z=1)))",
        "crm.list()",
        'files.find_all("x", limit=3)',
        "def g(text):\n    return text.upper()",
        "files.find(**{'pattern': 'x'})",
    ],
)
def test_programs_with_existing_names_may_be_written(program: str) -> None:
    assert write(NAMES, program)


@pytest.mark.parametrize(
    "program",
    [
        "files.foo",
        "files.finder(",
        "files. find()",
        "files.()",
        "files.\n",
        "x = files.reads('a')",
        "files.read(paths='a')",
        "files.read('a', pattern='b')",
        "files.find(pattern='a', pattern='b')",
        "crm.list(x=1)",
        "print(files.read(name='a'))",
        "files.read (file = 'a')",
        "x = [files.reed(p) for p in y]",
        "```python\nfiles.foo()",
        "files.find('a').x\nfiles.bar",
        "x = ''\nfiles.bar",
        "x = ''' ' '''\nfiles.bar()",
        "# note\nfiles.bar()",
        "x == files.bar",
        "files.find(pattern=files.foo",
        "</think>files.foo(",
        "files.read(a, b=1)",
        'files.read("",b=1)',
    ],
)
def test_programs_with_unknown_names_may_not(program: str) -> None:
    assert not write(NAMES, program)


def test_with_known_variables_an_argument_begins_with_a_parameter_or_a_known_name() -> None:
    for good in (
        "files.read(path",
        "files.read(pa",
        "files.read(rows[0]",
        "x = 1\nfiles.read(x)",
        "files.read(len(rows))",
        "files.read(f'a')",
        "files.read(not total)",
        "files.read(3)",
        "print(files.read(path=p) for p in rows)",
            "print([p for p in rows])",
            "answer([text.count(what=p, path=rows[0]) for p in rows])",
        "files.read(-zzz)",
    ):
        assert write(STRICT, good), good
    for good in (
        "zzz = 1\nyyy = zzz",
        "x = rows",
        "x = [y for y in rows]",
        "x = {y: 1 for y in rows}",
        "for y in rows:\n    if y in rows and not total:\n        answer(y)",
        "x = lambda y: y",
        "answer(value=rows)",
        "answer([y for y in rows])",
        "answer = 3\nx = answer(zzz",
        "x = 1 if total else 2",
        "x += 12.5",
    ):
        assert write_by_bytes(STRICT, good), good
    unknown = ("x = zzz", "for y in zzz", "if zzz", "x = not zzz", "answer(zzz", "answer(vlue=1", "x = y\n", "x == zzz")
    for bad in unknown:
        assert not write_by_bytes(STRICT, bad), bad
    inside = ("answer(files.read(pth", "answer([files.read(zzz", "answer(len(files.read(zzz", "[files.find_all(rows, lmt")
    for bad in ("files.read(pth", "files.read(zzz", "files.find_all(rows, lmt", *inside):
        assert not write(STRICT, bad), bad


def test_behind_a_named_argument_of_a_tool_the_next_one_is_named_too() -> None:
    for good in ('files.find_all(pattern="x", limit=3)', "answer(value=rows)", 'files.find_all(pattern=rows, limit=total)'):
        assert write(STRICT, good), good
    for bad in ('files.find_all(pattern="x", rows', 'text.count(path="x", dict', "text.count(path=rows, not"):
        assert not write(STRICT, bad), bad
        assert write(NAMES, bad), bad


def test_a_call_that_is_written_whole_takes_named_arguments_and_ends_when_none_is_missing() -> None:
    for good in (
        'text.count(path="x", what="words")',
        'text.count(\n    what = f"{rows}",\n    path=rows[0]\n)',
        "files.find_all( pattern=total)",
        "files.find()",
        "crm.list()\nanswer(files.find(pattern=len(rows)))",
        "answer([text.count(path=x, what=total) for x in rows])",
        "answer(rows, 3)",
        'files.read(path="a",)',
        "files.read(path=files.find()[0]",
        "x = files.read",
    ):
        assert write(WHOLE, good) and write_by_bytes(WHOLE, good), good
    missing = """files.read()|text.count(path="x")|text.count(path="x", )|answer(files.read())|text.count(path="x"])"""
    unnamed = """files.read("x"|files.read(rows|files.read(3|files.read(*rows|files.read(-1|files.read(# a"""
    beyond = """files.read(path rows|files.read(path=)|files.find_all(pattern=,|crm.list(,|files.read(path<"""
    closed = """files.read(path.x|files.read(path, |files.find(pattern=1}"""
    for bad in f"{missing}|{unnamed}|{beyond}|{closed}".split("|"):
        assert not write(WHOLE, bad), bad
        assert not write_by_bytes(WHOLE, bad), bad


@settings(max_examples=150)
@given(st.lists(st.integers(0, 10**6), max_size=25))
def test_no_reply_ends_within_brackets_and_there_is_always_a_way_on(choices: list[int]) -> None:
    constraint = NameConstraint(WHOLE, INDEX)
    state = constraint.start()
    state.feed(b"x = text.count(")
    for choice in choices:
        mask = constraint.mask(state)
        if mask is None:
            continue
        assert not (state.mode == CODE and state.frames and mask[END])
        ways = np.nonzero(mask[:END])[0]
        assert ways.size
        state.feed(PIECES[ways[choice % ways.size]])


def test_builtins_that_short_programs_do_not_use_count_as_slips_under_the_strict_rule() -> None:
    assert write_by_bytes(STRICT, "x = len(rows)") and write_by_bytes(STRICT, "x = rows if 1 not in rows else None")
    for slip in ("x = hex", "answer(help", "answer(continue", "x = copyright"):
        assert not write_by_bytes(STRICT, slip), slip


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, len(PIECES) - 2), max_size=12),
    st.sampled_from([NAMES, STRICT, KEYED, WHOLE, WHOLE]),
    st.booleans(),
)
def test_the_mask_is_exactly_what_may_be_written(tokens: list[int], names: Names, thinking: bool) -> None:
    constraint = NameConstraint(names, INDEX)
    state = constraint.start(thinking=thinking)
    for token in tokens:
        if not state.allows(PIECES[token]):
            continue
        state.feed(PIECES[token])
        mask = constraint.mask(state)
        allowed = np.array([state.allows(piece) for piece in PIECES])
        allowed[END] = state.server is None or (state.word in state.table.tools[state.server])
        if mask is None:
            assert allowed[:END].all()
        else:
            differing = [PIECES[i] for i in np.nonzero(mask[:END] != allowed[:END])[0]]
            assert not differing, (b"".join(PIECES[t] for t in tokens), differing)


# Enough to finish every name that it can begin.
PLAIN = """files. files .find find . ( (pattern pattern = , ) x y read path what limit text count fi nd
_all crm list foo .foo( 1 print( [ ]""".split()
PLAIN += ["\n", ", ", " + "]


@pytest.mark.parametrize("seed", range(20))
def test_random_logits_write_only_existing_names(seed: int) -> None:
    """Judged by expressions over the text, without the lexer."""
    constraint = NameConstraint(NAMES, PieceIndex([piece.encode() for piece in PLAIN]))
    source, sampler, reply = np.random.default_rng(seed), Sampler(Sampling(temperature=1.0, seed=seed), constraint), ""
    for _ in range(150):
        step = sampler.step(source.standard_normal(len(PLAIN)).astype(np.float32) * 2)
        reply += PLAIN[step.token]
        sampler.accept(PLAIN[step.token].encode())
    whole = reply.rsplit("\n", 1)[0]
    for match in re.finditer(r"(?<![\w.])(files|text|crm)\.(\w*)", whole):
        if not re.search(rf"(?<![\w.]){match[1]}\s*(?:,[\s\w,]*)?=", whole[: match.start()]):  # a name of the program's own
            assert f"{match[1]}.{match[2]}" in NAMES.tools, (match[0], reply)
    for match in re.finditer(r"(?<![\w.])files\.(read|find)\((\w+)=(?!=)", whole):
        if not re.search(r"(?<![\w.])files\s*(?:,[\s\w,]*)?=", whole[: match.start()]):
            assert match[2] in NAMES.tools[f"files.{match[1]}"], (match[0], reply)


def test_a_reply_that_needs_no_help_is_sampled_as_without_the_constraint() -> None:
    program = b'x = files.find(pattern="a")\nfor p in x:\n    print(text.count(path=p, what="words"))\n'
    tokens = [PIECES.index(bytes((byte,))) for byte in program]
    constraint = NameConstraint(NAMES, INDEX)
    free, held = Sampler(Sampling(), None), Sampler(Sampling(), constraint)
    for token in tokens:
        logits = np.full(len(PIECES), -5.0, dtype=np.float32)
        logits[token] = 25.0
        one, two = free.step(logits), held.step(logits)
        assert one.token == two.token == token
        assert abs(one.logprob - two.logprob) < 1e-9
        free.accept(PIECES[token])
        held.accept(PIECES[token])


def test_the_recorded_probability_is_that_of_the_masked_distribution() -> None:
    constraint = NameConstraint(NAMES, INDEX)
    sampler = Sampler(Sampling(temperature=0.7, seed=1), constraint)
    sampler.accept(b"x = files.")
    logits = np.random.default_rng(0).standard_normal(len(PIECES)).astype(np.float32)
    step = sampler.step(logits)
    state = constraint.start()
    state.feed(b"x = files.")
    mask = constraint.mask(state)
    assert mask is not None and mask[step.token]
    weights = np.exp(logits.astype(np.float64) / 0.7)
    assert abs(np.exp(step.logprob_at_temperature) - weights[step.token] / weights[mask].sum()) < 1e-9
    assert step.kept_mass is not None and abs(step.kept_mass - weights[mask].sum() / weights.sum()) < 1e-9
    raw = np.exp(logits.astype(np.float64))
    assert abs(np.exp(step.logprob) - raw[step.token] / raw.sum()) < 1e-9


def test_a_vocabulary_that_cannot_write_any_tool_is_left_alone() -> None:
    pieces = [b"files.", b"zzz", b"!"]
    constraint = NameConstraint(NAMES, PieceIndex(pieces))
    state = constraint.start()
    state.feed(b"files.")
    assert constraint.mask(state) is None


def test_unfinished_replies_of_any_bytes_never_raise() -> None:
    source = random.Random(0)
    for _ in range(300):
        NameState(NameTable(STRICT)).feed(bytes(source.randrange(256) for _ in range(60)))



def test_a_key_in_brackets_behind_a_value_must_have_been_read_or_written() -> None:
    for good in (
        'x = rows["price"]',
        "x = rows[0]['unit price']",
        'x = files.find(pattern="a AS mine")[0]["mine"]',
        'x = ["zzz", "price"]',
        'for y in ["zzz"]:\n    answer(y)',
        'x = rows[f"zzz"]',
        'x = rows[0]["pri',
    ):
        assert write_by_bytes(KEYED, good), good
    for bad in ('x = rows["prize"]', 'x = rows["pric"]', 'rows[0]["zz', 'x = files.read(path="a")["mine"]', 'rows[""]'):
        assert not write_by_bytes(KEYED, bad), bad
        assert write_by_bytes(STRICT, bad), bad
