"""The `atlas` command: thin verbs that call the rooms below.

stdout carries the result only; progress, warnings and errors go to stderr. Exit codes: 0 done, 1 the task was not
solved, 2 wrong usage or configuration, 3 a tool server or model could not be reached, 130 interrupted.

Imported here is only what is needed to be interrupted in order; the verbs take their time.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Any, TextIO, cast

from .commands import interrupts


def invoke(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code. Verbs return theirs, or None for 0."""
    from .commands.report import report_failure

    options = _options(arguments)
    debug, as_json = "--debug" in options, "--json" in options
    kept = [word for place, word in enumerate(arguments) if word != "--debug" or place >= len(options)]
    try:
        from .commands.verbs import app

        result = app(kept, prog_name="atlas", standalone_mode=False)
    except (Exception, KeyboardInterrupt) as error:
        with interrupts.undisturbed():
            return report_failure(error, as_json=as_json, debug=debug)
    return result if isinstance(result, int) else 0


def _options(arguments: Sequence[str]) -> Sequence[str]:
    """The words among which options are looked for."""
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def main() -> None:
    """Entry point of the `atlas` script."""
    interrupts.end_at_once(as_json="--json" in _options(sys.argv[1:]))
    from .commands import verbs  # noqa: F401 - loaded while an interrupt needs no care

    _open_closed_streams()
    interrupts.raise_them()
    try:
        code = invoke(sys.argv[1:])
    except KeyboardInterrupt:  # a second one, before the first could be told
        code = interrupts.INTERRUPTED
    interrupts.keep(code)
    try:
        sys.stdout.flush()
    except OSError:  # told already; Python would tell it again at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


class _Forgiving:
    """A standard error that never fails: what cannot be shown to anybody must not cost the answer."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write; where that is impossible, everything goes nowhere from now on."""
        try:
            return self._stream.write(text)
        except OSError:
            self._give_up()
            return len(text)

    def flush(self) -> None:
        """Write what is held back."""
        try:
            self._stream.flush()
        except OSError:
            self._give_up()

    def _give_up(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _open_closed_streams() -> None:
    """A command started with `>&-` has no stream there: what it prints goes nowhere, and the work is done."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the end
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the end
    sys.stderr = cast(TextIO, _Forgiving(sys.stderr))


if __name__ == "__main__":
    main()
