"""What callers of `Sandbox.run` rely on."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from atlas.sandbox import Limits, Sandbox, SandboxBusy, SandboxClosed, SandboxError, ToolError, keep_warm

from ..waiting import until_dead, until_gone
from . import support

TOOLS: dict[str, dict[str, Any]] = {
    "files.read": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
    "files.write": {
        "type": "object",
        "properties": {"mode": {"type": "string"}, "path": {"type": "string"}, "content": {"type": "string"}},
        "required": ["path", "content"],
    },
    "files.list": {"type": "object", "properties": {"path": {"type": "string"}}},
    "crm.find": {"type": "object", "properties": {}, "additionalProperties": True},
    "search_tools": {"type": "object", "properties": {"query": {"type": "string"}, "k": {"type": "integer"}},
                     "required": ["query"]},
    "load_tools": {"type": "object", "properties": {"names": {"type": "array"}}, "x-variadic": "names"},
}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Limits(wall_seconds=20)) as opened:
        yield opened


def _run(sandbox: Sandbox, source: str, call: Any = support.give_back) -> Any:
    return sandbox.run(textwrap.dedent(source).strip(), TOOLS, call)


# -- calls


def test_positional_arguments_follow_the_schema_required_ones_first(sandbox: Sandbox):
    assert _run(sandbox, "files.write('a.txt', 'text', 'append')").value == {
        "path": "a.txt", "content": "text", "mode": "append"}
    assert _run(sandbox, "files.write('a.txt', content='text')").value == {"path": "a.txt", "content": "text"}


def test_a_tool_without_a_dot_is_a_function(sandbox: Sandbox):
    assert _run(sandbox, "search_tools('rates', k=3)").value == {"query": "rates", "k": 3}


def test_a_variadic_tool_collects_its_arguments(sandbox: Sandbox):
    assert _run(sandbox, "load_tools('a', 'b')").value == {"names": ["a", "b"]}
    assert _run(sandbox, "load_tools(*search_tools('x')['query'])").value == {"names": ["x"]}
    assert _run(sandbox, "load_tools(names=['a'])").value == {"names": ["a"]}
    assert _run(sandbox, "load_tools()").value == {"names": []}


def test_a_variadic_that_is_no_parameter_is_none():
    with Sandbox() as sandbox:
        outcome = sandbox.run("demo.x('b')", {"demo.x": {"properties": {"a": {}}, "x-variadic": "zz"}}, support.give_back)
        assert outcome.value == {"a": "b"}


def test_a_tool_that_names_no_parameters_takes_any(sandbox: Sandbox):
    assert _run(sandbox, "crm.find(city='Rome', **{'max': 3})").value == {"city": "Rome", "max": 3}


def test_tools_are_values(sandbox: Sandbox):
    source = "f = files.read\n[r['path'] for r in map(f, ['a', 'b'])] + [g('c')['path'] for g in (files.list,)]"
    assert _run(sandbox, source).value == ["a", "b", "c"]


@pytest.mark.parametrize(("source", "error", "text"), [
    ("\nfiles.read('a', 'b')", "TypeError", "files.read() takes (path), but 2 positional arguments were given"),
    ("\nfiles.read(pth='a')", "TypeError", "did you mean 'path'?"),
    ("\nfiles.read()", "TypeError", "missing the required argument 'path'"),
    ("\nfiles.read('a', path='b')", "TypeError", "multiple values for argument 'path'"),
    ("\nfiles.raed('a')", "AttributeError", "server 'files' has no tool 'raed'; did you mean files.read"),
    ("\nfile.read('a')", "NameError", "name 'file' is not defined; did you mean 'files'?"),
    ("\nread('a')", "NameError", "did you mean 'files.read'?"),
    ("\nfiles_read('a')", "NameError", "did you mean 'files.read'?"),
    ("\nserach_tools('a')", "NameError", "did you mean 'search_tools'?"),
    ("\nopen('a')", "NameError", "tools such as files.read"),
    ("\nheapq.heappush([], 1)", "NameError", "write `import heapq` first"),
    ("\ndatetime.now()", "AttributeError", "did you mean 'datetime.datetime.now'?"),
    ("\n'abc'.uper()", "AttributeError", "'str' object has no attribute 'uper'; did you mean 'upper'?"),
    ("\n{'name': 1}.name", "AttributeError", "did you mean ['name']?"),
    ("\nimport maths", "NotAllowed", "the module 'maths' is not available"),
    ("\nfiles.read(path=len)", "TypeError", "argument 'path'"),
])  # fmt: skip
def test_mistakes_are_explained_at_their_line(sandbox: Sandbox, source: str, error: str, text: str):
    outcome = sandbox.run(source, TOOLS, support.give_back)
    assert outcome.error is not None and outcome.calls == []
    assert (outcome.error.type, outcome.error.line) == (error, 2) and text in outcome.error.message, outcome.error


def test_a_variable_that_hides_a_server_is_explained():
    with Sandbox() as sandbox:
        outcome = _run(sandbox, "files = files.list(path='.')\nfiles.read('a')")
        assert outcome.error is not None and "hides the server" in outcome.error.message
        assert _run(sandbox, "del files\nfiles.read('a')['path']").value == "a"


def test_tools_may_differ_from_run_to_run():
    with Sandbox() as sandbox:
        assert sandbox.run("a.x()", {"a.x": {}}, lambda tool, arguments: tool).value == "a.x"
        assert sandbox.run("b.y()", {"b.y": {}}, lambda tool, arguments: tool).value == "b.y"
        assert sandbox.run("a.x()", {"b.y": {}}, lambda tool, arguments: tool).status == "refused"


HALF = "\ud800"


@pytest.mark.parametrize("tools", [
    {"demo.half": {"type": "object", "properties": {"a": {"type": "string", "enum": ["b", HALF]}}}},
    {"demo.half": {"type": "object", "properties": {"a": {}, "x" + HALF: {}}}},
    {"demo.half": {"properties": {"a": {}}}, "demo.x" + HALF: {}},
])  # fmt: skip
def test_half_a_character_in_what_is_known_of_a_tool_harms_no_program(tools: dict[str, Any]):
    with Sandbox() as sandbox:
        outcome = sandbox.run("demo.half(a='b')", tools, support.give_back)
        assert (outcome.status, outcome.value) == ("ok", {"a": "b"})
        support.works(sandbox)


def test_tools_that_cannot_be_told_leave_the_next_program_alone():
    class Broken(dict[str, Any]):
        def get(self, *arguments: Any) -> Any:
            raise LookupError("broken")

    with Sandbox() as sandbox:
        with pytest.raises(LookupError):
            sandbox.run("1", {"demo.echo": Broken()}, support.give_back)
        support.works(sandbox)


def test_a_tool_never_hides_a_builtin():
    with Sandbox() as sandbox:
        tools: dict[str, Any] = {"len": {}, "json.dumps": {}, "print.x": {}}
        outcome = sandbox.run("print(len('abc'), json.dumps([]))", tools, lambda tool, arguments: "tool")
        assert (outcome.output, outcome.calls) == ("3 []\n", [])


def test_results_are_native_values(sandbox: Sandbox):
    value = {"a": [1, 2.5, None, True, "é\U0001f600"], "b": {"c": []}}
    outcome = _run(sandbox, "r = files.read('x')\n(type(r).__name__, r['a'][4], r['b'], r)", lambda *_: value)
    assert outcome.value == ["dict", "é\U0001f600", {"c": []}, value]


def test_results_that_are_not_json_become_errors_in_the_program(sandbox: Sandbox):
    source = "try:\n    files.read('x')\nexcept ToolError as e:\n    answer(e.kind)"
    assert _run(sandbox, source, lambda *_: object()).value == "invalid_result"
    assert _run(sandbox, source, lambda *_: "x" * 5_000_000).value == "too_large"
    assert _run(sandbox, "files.read('x')", lambda *_: {1: {2, 1}, "s": "\ud800"}).value == {"1": [1, 2], "s": "?"}


def test_arguments_are_made_plain(sandbox: Sandbox):
    source = "import datetime\ncrm.find(a=(1, 2), b={3, 1}, c=datetime.date(2024, 1, 2), d={1: None}, e={}.keys(), f=1.5)"
    assert _run(sandbox, source).value == {"a": [1, 2], "b": [1, 3], "c": "2024-01-02", "d": {"1": None}, "e": [], "f": 1.5}


def test_a_tool_error_can_be_caught_and_read(sandbox: Sandbox):
    def call(tool: str, arguments: dict[str, Any]) -> Any:
        raise ToolError("no such file: a.txt", kind="not_found")

    source = """
        try:
            files.read('a.txt')
        except ToolError as e:
            answer([e.tool, e.kind, e.message, e.arguments, str(e)])
    """
    assert _run(sandbox, source, call).value == [
        "files.read", "not_found", "no such file: a.txt", {"path": "a.txt"}, "no such file: a.txt"]
    outcome = _run(sandbox, "x = 1\nfiles.read('a.txt')", call)
    assert (outcome.status, str(outcome.error)) == ("error", "line 2: ToolError: no such file: a.txt")
    assert [(one.tool, one.arguments, one.ok) for one in outcome.calls] == [("files.read", {"path": "a.txt"}, False)]


def test_other_exceptions_of_call_reach_the_caller():
    with Sandbox() as sandbox:
        with pytest.raises(ZeroDivisionError):
            _run(sandbox, "files.read('a')", lambda *_: 1 / 0)
        assert _run(sandbox, "1 + 1").value == 2


def test_run_refuses_awaitables(sandbox: Sandbox):
    async def call(tool: str, arguments: dict[str, Any]) -> Any:
        return 1

    with pytest.raises(SandboxError, match="awaitable"):
        _run(sandbox, "files.read('a')", call)


def test_await_and_gather_work_without_an_event_loop(sandbox: Sandbox):
    source = """
        import asyncio
        async def size(path):
            text = await files.read(path)
            return len(text['path'])
        async def main():
            return sum(await asyncio.gather(size('a'), size('bb'), *[size('ccc') for _ in range(2)]))
        total = asyncio.run(main())
        more = await asyncio.gather(files.read('x'), files.read('y'), return_exceptions=True)
        tasks = [asyncio.create_task(files.read(p)) for p in 'ab']
        last = [(await task)['path'] for task in tasks] if False else [await tasks[0], await tasks[1]]
        (total, [m['path'] for m in more], [one['path'] for one in last])
    """
    outcome = _run(sandbox, source)
    assert outcome.value == [9, ["x", "y"], ["a", "b"]], outcome
    assert [one.id for one in outcome.calls] == sorted(one.id for one in outcome.calls)


def test_a_coroutine_at_the_end_is_run(sandbox: Sandbox):
    assert _run(sandbox, "async def main():\n    return (await files.read('q'))['path']\nmain()").value == "q"


# -- values, output, variables


def test_the_last_answer_counts(sandbox: Sandbox):
    outcome = _run(sandbox, "answer(1)\nanswer({'a': (1, 2)})\n'trailing'")
    assert (outcome.answered, outcome.value, outcome.output) == (True, {"a": [1, 2]}, "'trailing'\n")
    outcome = _run(sandbox, "answer(None)\n5")
    assert (outcome.answered, outcome.value) == (True, None)
    outcome = _run(sandbox, "5")
    assert (outcome.answered, outcome.value) == (False, 5)
    outcome = _run(sandbox, "answer(1)\n1 / 0")
    assert (outcome.status, outcome.answered, outcome.value) == ("error", False, None)


@pytest.mark.parametrize(("source", "value"), [
    ("{3, 1, 2}", [1, 2, 3]), ("{'b', 1}", [1, "b"]), ("float('nan')", "nan"), ("10 ** 5000 > 1", True),
    ("import datetime\ndatetime.datetime(2024, 1, 2, 3, 4)", "2024-01-02T03:04:00"),
    ("import datetime\ndatetime.timedelta(hours=30)", "1 day, 6:00:00"),
    ("{1: 'a', None: 2, (1, 2): 3}", {"1": "a", "null": 2, "(1, 2)": 3}),
    ("lambda: 0", "<function <lambda>>"), ("class A: pass\nA()", "<A object>"), ("b'ab'", "b'ab'"), ("range(3)", [0, 1, 2]),
    ("collections.Counter('aab')", {"a": 2, "b": 1}), ("files.read", "<tool files.read>"), ("json", "<module json>"),
    ("'\\ud800'", "?"),
])  # fmt: skip
def test_values_become_json(sandbox: Sandbox, source: str, value: Any):
    outcome = _run(sandbox, source)
    assert outcome.status == "ok", outcome
    assert outcome.value == value


def test_variables_live_on_and_are_described():
    with Sandbox() as sandbox:
        _run(sandbox, """
            names = [f'{n}.md' for n in range(12)]
            d = {'a': 1, 'b': [1, 2]}
            n = 5
            s = 'x' * 500
            e = []
            def f(): return n
            class C: pass
            c = C()
            x = None
        """)
        outcome = _run(sandbox, "n += 1\nf()")
        assert outcome.value == 6
        assert outcome.variables == {
            "names": "list of 12: ['0.md', '1.md', '2.md', ...]", "d": "dict of 2: {'a': 1, 'b': [1, 2]}", "n": "int: 6",
            "s": "str of 500: '" + "x" * 60 + "'...", "e": "list of 0: []", "f": "function f", "C": "class C",
            "c": "C object", "x": "NoneType: None",
        }  # fmt: skip
        assert all(len(text) <= 120 for text in outcome.variables.values())


def test_variables_are_known_after_every_program_whether_it_touched_them_or_not():
    one, two, three = "list of 1: [1]", "list of 2: [1, 2]", "list of 3: [1, 2, 3]"
    steps = [
        ("a = [1]", {"a": one}), ("1 + 1", {"a": one}), ("b = a", {"a": one, "b": one}),
        ("b.append(2)", {"a": two, "b": two}), ("print(files.read('x'))", {"a": two, "b": two}),
        ("nothing_here", {"a": two, "b": two}), ("1 +", {"a": two, "b": two}),
        ("def f(): a.append(3)", {"a": two, "b": two, "f": "function f"}),
        ("[f() for _ in range(1)]\n1 / 0", {"a": three, "b": three, "f": "function f"}),
        ("max = 1", {"a": three, "b": three, "f": "function f", "max": "int: 1"}),
        ("del max, f", {"a": three, "b": three}), ("import json", {"a": three, "b": three}), ("del a, b", {}), ("2", {}),
    ]  # fmt: skip
    with Sandbox() as sandbox:
        for source, expected in steps:
            assert _run(sandbox, source).variables == expected, source
        sandbox.run("a = 1")
        with pytest.raises(KeyboardInterrupt):  # a worker is lost; the next has no variables
            sandbox.run("files.read('x')", TOOLS, _interrupt)
        assert sandbox.run("3").variables == {}


def _interrupt(tool: str, arguments: dict[str, Any]) -> Any:
    raise KeyboardInterrupt


def test_what_is_imported_is_not_listed_among_the_variables():
    with Sandbox() as sandbox:
        outcome = _run(sandbox, """
            import json, re as r
            from datetime import datetime, timedelta
            from math import sqrt
            from functools import reduce
            from typing import Any
            f = files.read
            n = timedelta(hours=1)
        """)
        assert outcome.variables == {"f": "tool files.read", "n": "timedelta: 1:00:00"}


def test_a_long_trailing_value_is_cut_where_it_is_shown_only(sandbox: Sandbox):
    outcome = _run(sandbox, "'x' * 100_000")
    assert outcome.value == "x" * 100_000 and len(outcome.output) < 21_000 and "(100002 characters)" in outcome.output


def test_describing_runs_no_code_of_the_program(sandbox: Sandbox):
    source = "class Loud:\n    def __repr__(self):\n        print('loud')\n        return 'x'\nloud = [Loud()]\nNone"
    assert _run(sandbox, source).output == ""


def test_output_is_kept_when_the_program_fails(sandbox: Sandbox):
    outcome = _run(sandbox, "print('before')\n1 / 0")
    assert (outcome.output, outcome.status) == ("before\n", "error")


def test_addresses_are_not_shown(sandbox: Sandbox):
    outcome = _run(sandbox, "def f(): pass\nprint(f, object(), str(f) if False else '')\n[f]")
    assert " at 0x" not in outcome.output and " at 0x" not in str(outcome.value)


def test_the_time_is_asked_of_the_host(sandbox: Sandbox):
    asked: list[float] = []

    def now() -> float:
        asked.append(86_400.0 * len(asked))
        return asked[-1]

    source = """
        import datetime
        from datetime import datetime as dt, date
        [dt.now(), date.today(), dt.now(datetime.timezone.utc), dt.utcnow(), datetime.datetime.today()]
    """
    outcome = sandbox.run(textwrap.dedent(source), now=now)
    assert outcome.value == [
        "1970-01-01T00:00:00", "1970-01-02", "1970-01-03T00:00:00+00:00", "1970-01-04T00:00:00", "1970-01-05T00:00:00"]
    assert len(asked) == 5 and outcome.calls == []


def test_sets_of_text_have_the_same_order_in_every_worker():
    seen = set()
    for _ in range(3):
        with Sandbox() as sandbox:
            seen.add(sandbox.run("print({'alpha', 'beta', 'gamma', 'delta', 'epsilon'})").output)
    assert len(seen) == 1


# -- limits


def test_each_budget_is_named(monkeypatch: pytest.MonkeyPatch):
    limits = Limits(memory_mb=32, max_calls=3, max_output_bytes=1000, cpu_seconds=0.15, max_result_bytes=500)
    programs = {
        "cpu_seconds": "while True: pass", "memory_mb": "[0] * 10 ** 9", "max_output_bytes": "print('x' * 5000)",
        "max_calls": "for n in range(9):\n    files.list()", "max_result_bytes": "answer('x' * 600)",
    }
    with Sandbox(limits) as sandbox:
        for budget, source in programs.items():
            outcome = _run(sandbox, source)
            assert (outcome.status, outcome.error and outcome.error.type) == ("limit", budget), outcome
    clock = support.Clock(monkeypatch)

    def slow(tool: str, arguments: dict[str, Any]) -> None:
        clock.ahead += 20.1

    with Sandbox(Limits(wall_seconds=20.0)) as sandbox:
        outcome = sandbox.run("files.list()", TOOLS, slow)
        assert (outcome.status, outcome.error and outcome.error.type) == ("limit", "wall_seconds"), outcome


def test_a_soft_limit_keeps_the_variables_and_a_hard_one_names_the_lost():
    with Sandbox(Limits(wall_seconds=5, max_calls=2, cpu_seconds=0.2)) as sandbox:
        _run(sandbox, "kept = 1")
        outcome = _run(sandbox, "also = 2\nwhile True: files.list()")
        assert outcome.status == "limit" and outcome.lost == () and set(outcome.variables) == {"kept", "also"}
        assert outcome.error is not None and outcome.error.line == 2 and len(outcome.calls) == 2
        outcome = _run(sandbox, "while True: pass")
        assert outcome.status == "limit" and outcome.lost == ("kept", "also") and outcome.variables == {}
        assert _run(sandbox, "kept").error.type == "NameError"


def test_budgets_are_per_program():
    with Sandbox(Limits(max_calls=2, max_output_bytes=100, cpu_seconds=0.2)) as sandbox:
        for _ in range(6):
            assert _run(sandbox, "print('x' * 90)\nfiles.list()\nfiles.list()\nsum(range(1_500_000))\nNone").status == "ok"


def test_output_is_cut_at_the_limit_and_kept():
    with Sandbox(Limits(max_output_bytes=10)) as sandbox:
        outcome = sandbox.run("print('é' * 100)")
        assert (outcome.status, outcome.output) == ("limit", "é" * 5)


def test_a_pause_stops_the_wall_clock(monkeypatch: pytest.MonkeyPatch):
    clock = support.Clock(monkeypatch)
    with Sandbox(Limits(wall_seconds=20.0)) as sandbox:
        def call(tool: str, arguments: dict[str, Any]) -> Any:
            with sandbox.paused():
                clock.ahead += 25.0
            return 1

        assert _run(sandbox, "files.list()", call).value == 1


@pytest.mark.parametrize("bad", [
    {"wall_seconds": 0}, {"wall_seconds": float("inf")}, {"wall_seconds": float("nan")}, {"memory_mb": -1},
    {"max_calls": 1.5}, {"max_calls": True}, {"max_nodes": "9"},
])  # fmt: skip
def test_limits_are_checked(bad: dict[str, Any]):
    with pytest.raises(ValueError, match=f"Limits.{next(iter(bad))}"):
        Limits(**bad)


# -- the life of workers


def test_a_worker_killed_from_outside_is_reported_and_replaced():
    with Sandbox(Limits(wall_seconds=20)) as sandbox:
        _run(sandbox, "x = 1")
        pid = sandbox.worker_pid
        assert pid is not None

        def call(tool: str, arguments: dict[str, Any]) -> Any:
            os.kill(pid, signal.SIGKILL)
            return 1

        outcome = _run(sandbox, "files.list()\nwhile True: pass", call)
        assert outcome.status == "killed" and outcome.lost == ("x",)
        assert outcome.error is not None and "signal 9" in outcome.error.message
        assert _run(sandbox, "1 + 1").value == 2 and sandbox.worker_pid != pid


def test_a_worker_killed_between_runs_is_replaced():
    with Sandbox() as sandbox:
        _run(sandbox, "x = 1")
        pid = sandbox.worker_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        until_dead(pid)
        outcome = _run(sandbox, "2")
        assert (outcome.status, outcome.value, outcome.lost) == ("ok", 2, ("x",))


def test_no_process_is_left_behind():
    before = _children()
    with Sandbox() as sandbox, Sandbox() as other:
        _run(sandbox, "1")
        _run(other, "while True:\n    x = 1\n    break")
        pids = [sandbox.worker_pid, other.worker_pid]
    for pid in pids:
        assert pid is not None
        until_gone(pid)
    assert _children() == before


def test_sandboxes_do_not_share_variables():
    with Sandbox() as one, Sandbox() as other:
        _run(one, "secret = 1")
        assert _run(other, "secret").error.type == "NameError"
        assert one.worker_pid != other.worker_pid


def test_a_sandbox_outlives_the_thread_that_started_it():
    with Sandbox() as sandbox:
        thread = threading.Thread(target=lambda: _run(sandbox, "x = 7"))
        thread.start()
        thread.join()
        assert _run(sandbox, "x").value == 7


def test_keep_warm_holds_the_parent_of_workers():
    before = _children()
    with keep_warm():
        held = _children()
        for _ in range(2):
            with Sandbox() as sandbox:
                _run(sandbox, "1")
            assert held == _children() != []
    assert _children() == before


def test_a_closed_sandbox_refuses():
    sandbox = Sandbox()
    with sandbox:
        pass
    with pytest.raises(SandboxClosed):
        sandbox.run("1")
    sandbox.close()


def test_one_program_at_a_time():
    with Sandbox() as sandbox:
        def call(tool: str, arguments: dict[str, Any]) -> Any:
            with pytest.raises(SandboxBusy):
                sandbox.run("1")
            return "told"

        assert _run(sandbox, "files.list()", call).value == "told"


def test_descriptors_do_not_pile_up():
    with Sandbox() as sandbox:
        _run(sandbox, "1")
        gc.collect()
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            assert _run(sandbox, "[0] * 10 ** 12").status == "limit"
            _run(sandbox, "1")
        assert len(os.listdir("/proc/self/fd")) <= before + 4  # two spare workers come and go


def test_workers_die_with_the_host():
    script = """
        import os, sys
        from atlas.sandbox import Sandbox
        sandbox = Sandbox().__enter__()
        def call(tool, arguments):
            print(sandbox.worker_pid, flush=True)
            os.kill(os.getpid(), 9)
        sandbox.run("demo.x()\\nwhile True: pass", {"demo.x": {}}, call)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60)
    until_gone(int(done.stdout))


def _children() -> list[int]:
    gc.collect()
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text(encoding="utf-8")
                command = Path(f"/proc/{entry}/cmdline").read_bytes()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == os.getpid() and b"sandbox_package" in command:
                found.append(int(entry))
    return found
