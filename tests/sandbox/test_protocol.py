"""A worker that has fallen and speaks the protocol as an attacker would: the host ends it and goes on."""

# ruff: noqa: E501
from __future__ import annotations

import select
import time

import pytest

from atlas.sandbox import Limits, Sandbox
from atlas.sandbox.frames import FrameBuffer, FrameError, encode

from . import support

SEND = "import os, json, struct\ndef raw(data):\n    os.write(1, data)\ndef send(text):\n    b = text.encode()\n    raw(struct.pack('<I', len(b)) + b)\n"


def _instead(body: str) -> str:
    """The worker runs `body` in place of the program."""
    indented = "\n".join("    " + line for line in body.splitlines())
    return SEND + f"def act(message):\n{indented}\n    return worker._done('ok')\nworker._program = act\n"


DONE = '{"t":"done","status":"ok","value":1,"answered":true,"error":null,"names":[],"variables":{}}'
ABUSES = {
    "rubbish": "raw(b'x' * 100)",
    "huge frame": "raw(struct.pack('<I', 2**31) + b'{}')",
    "empty frame": "raw(struct.pack('<I', 0))",
    "not an object": "send('[]')",
    "not utf-8": "raw(struct.pack('<I', 2) + b'\\xff\\xfe')",
    "not a number": "send('[%d,\"demo.echo\",{\"a\":NaN}]' % worker.channel.next_id)",
    "infinite": "send('[%d,\"demo.echo\",{\"a\":1e999}]' % worker.channel.next_id)",
    "huge integer": "send('{\"t\":\"out\",\"text\":' + '9' * 100000 + '}')",
    "deep": "send('{\"t\":' + '[' * 100000 + ']' * 100000 + '}')",
    "deep enough to decode": "send('{\"t\":\"out\",\"text\":' + '[' * 900 + '\"\\\\ud800\"' + ']' * 900 + '}')",
    "deep value": "send('{\"t\":\"done\",\"status\":\"ok\",\"error\":null,\"value\":' + '[' * 900 + ']' * 900 + '}')",
    "deep arguments": "send('[%d,\"demo.echo\",{\"text\":' % worker.channel.next_id + '[' * 900 + ']' * 900 + '}]')",
    "unknown kind": "send('{\"t\":\"what\"}')",
    "no kind": "send('{}')",
    "kind is a list": "send('{\"t\":[]}')",
    "wrong id": "send('[77777,\"demo.echo\",{}]')",
    "id is true": "send('[true,\"demo.echo\",{}]')",
    "id is text": "send('[\"1\",\"demo.echo\",{}]')",
    "same id twice": "for _ in range(2):\n    send('[%d,\"demo.echo\",{\"text\":\"\"}]' % worker.channel.next_id)",
    "a call of two parts": "send('[%d,\"demo.echo\"]' % worker.channel.next_id)",
    "a call of four parts": "send('[%d,\"demo.echo\",{\"text\":\"\"},1]' % worker.channel.next_id)",
    "an empty call": "send('[]')",
    "two values": "send('[%d,\"demo.echo\",{\"text\":\"\"}]{}' % worker.channel.next_id)",
    "unknown tool": "send('[%d,\"os.system\",{}]' % worker.channel.next_id)",
    "tool is a list": "send('[%d,[],{}]' % worker.channel.next_id)",
    "arguments are a list": "send('[%d,\"demo.echo\",[]]' % worker.channel.next_id)",
    "an unknown argument": "send('[%d,\"demo.echo\",{\"text\":\"a\",\"shell\":1}]' % worker.channel.next_id)",
    "a missing argument": "send('[%d,\"demo.echo\",{\"n\":1}]' % worker.channel.next_id)",
    "output is a number": "send('{\"t\":\"out\",\"text\":5}')",
    "output flood": "for _ in range(100):\n    send('{\"t\":\"out\",\"text\":\"%s\"}' % ('x' * 1000))",
    "call flood": "for i in range(200):\n    send('[%d,\"demo.echo\",{\"text\":\"\"}]' % (worker.channel.next_id + i))",
    "unknown status": "send('{\"t\":\"done\",\"status\":\"great\"}')",
    "ok with an error": "send('{\"t\":\"done\",\"status\":\"ok\",\"error\":{\"type\":\"x\",\"message\":\"y\"}}')",
    "error without one": "send('{\"t\":\"done\",\"status\":\"error\"}')",
    "unknown budget": "send('{\"t\":\"done\",\"status\":\"limit\",\"error\":{\"type\":\"patience\",\"message\":\"y\"}}')",
    "output at the end is a number": "send('{\"t\":\"done\",\"status\":\"ok\",\"output\":5}')",
    "too much output at the end": "send('{\"t\":\"done\",\"status\":\"ok\",\"output\":\"%s\"}' % ('x' * 6000))",
    "error line is text": "send('{\"t\":\"done\",\"status\":\"error\",\"error\":{\"type\":\"x\",\"message\":\"y\",\"line\":\"1\"}}')",
    "many variables": "send('{\"t\":\"done\",\"status\":\"ok\",\"error\":null,\"variables\":%s}' % json.dumps({str(i): '' for i in range(99)}))",
    "variables are numbers": "send('{\"t\":\"done\",\"status\":\"ok\",\"error\":null,\"variables\":{\"a\":1}}')",
    "huge value": "send('{\"t\":\"done\",\"status\":\"ok\",\"error\":null,\"value\":\"%s\"}' % ('x' * 2000000))",
    "half a frame, then nothing": "raw(struct.pack('<I', 100) + b'{')\nwhile True: pass",
    "half a frame, then death": "raw(struct.pack('<I', 100) + b'{')\nos._exit(0)",
    "death": "os._exit(3)",
    "silence": "while True: pass",
    "crash": "import ctypes\nctypes.string_at(0)",
}


def _sandbox(**limits: float) -> Sandbox:
    chosen = {"wall_seconds": 3.0, "cpu_seconds": 0.2, "memory_mb": 64, "max_calls": 20, "max_output_bytes": 5_000, **limits}
    sandbox = Sandbox(Limits(**chosen))  # type: ignore[arg-type]
    sandbox._raw = True
    return sandbox


@pytest.fixture(scope="module")
def sandbox():
    with _sandbox() as opened:
        yield opened


@pytest.mark.parametrize("abuse", ABUSES)
def test_abuse_of_the_protocol_ends_the_worker(sandbox: Sandbox, abuse: str) -> None:
    sandbox._run_raw(_instead(ABUSES[abuse]))
    served: list[str] = []
    began = time.monotonic()
    outcome = sandbox.run("1", support.ECHO, lambda tool, arguments: served.append(tool))
    assert outcome.status in ("killed", "limit"), outcome
    assert time.monotonic() - began < 8
    assert len(served) <= 20 and set(served) <= {"demo.echo"}
    support.works(sandbox)


def test_nothing_is_served_after_the_end(sandbox: Sandbox) -> None:
    late = f"send({DONE!r})\nsend('[%d,\"demo.echo\",{{\"text\":\"\"}}]' % worker.channel.next_id)"
    sandbox._run_raw(_instead(late))
    served: list[str] = []
    outcome = sandbox.run("1", support.ECHO, lambda tool, arguments: served.append(tool))
    assert (outcome.status, outcome.value, served) == ("ok", 1, [])
    link, fallen = sandbox._link, sandbox.worker_pid
    assert link is not None
    while not len(link.incoming):  # the late call has come, or comes now
        assert select.select([link.source], [], [], 60)[0]
        link.fill()
    support.works(sandbox)
    assert served == [] and sandbox.worker_pid != fallen


def test_text_of_the_worker_is_made_valid(sandbox: Sandbox) -> None:
    sandbox._run_raw(_instead("send('{\"t\":\"out\",\"text\":\"a\\\\ud800b\"}')"))
    outcome = sandbox.run("1")
    assert outcome.output == "a?b"


def test_a_worker_that_does_not_read_is_ended_in_time() -> None:
    with _sandbox(max_calls=1000, wall_seconds=0.5, cpu_seconds=5.0) as sandbox:
        flood = (
            "for i in range(500):\n"
            "    send('[%d,\"demo.echo\",{\"text\":\"\"}]' % (worker.channel.next_id + i))\n"
            "while True: pass"
        )
        sandbox._run_raw(_instead(flood))
        began = time.monotonic()
        outcome = sandbox.run("1", support.ECHO, lambda tool, arguments: "x" * 100_000)
        assert (outcome.status, outcome.error and outcome.error.type) == ("limit", "wall_seconds"), outcome.error
        assert time.monotonic() - began < 6


def test_frames_come_out_as_they_went_in_whatever_the_cuts() -> None:
    messages = [{"t": "x", "text": "é" * n, "list": [n, None, True, 1.5]} for n in range(20)]
    data = b"".join(encode(message) for message in messages)
    for size in (1, 3, 7, 64, len(data)):
        buffer, found = FrameBuffer(10_000), []
        for start in range(0, len(data), size):
            buffer.feed(data[start : start + size])
            while (message := buffer.next()) is not None:
                found.append(message)
        assert found == messages


def test_a_long_frame_is_refused_before_its_body() -> None:
    buffer = FrameBuffer(100)
    buffer.feed(b"\xff\xff\xff\x7f")
    with pytest.raises(FrameError):
        buffer.next()
