"""What the `atlas` command prints: results on stdout, everything else on stderr, failures with place and mend."""

from __future__ import annotations

import json
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..runtime.errors import UsageError

DONE, UNSOLVED, USAGE, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130

# By the name of the nearest error family, so that a wrong flag is reported without importing any room.
_EXIT_CODES = {
    "EndpointError": UNREACHABLE,
    "DownloadError": UNREACHABLE,
    "ModelError": USAGE,
    "AtlasRuntimeError": USAGE,
    "LearnError": UNSOLVED,
    "TrainingError": USAGE,
    "ServerError": UNREACHABLE,
    "ToolFailed": UNSOLVED,
    "RegistryError": USAGE,
    "SandboxError": USAGE,
    "ClickException": USAGE,
    "TyperException": USAGE,
    "OSError": USAGE,
}
_BUG_MEND = "this is a fault in Atlas; run the same command with --debug and report what it prints"


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as the command line reports it."""

    type: str
    message: str
    where: str
    mend: str
    exit_code: int


def describe(error: BaseException) -> Failure:
    """What went wrong, where, what to do next, and the exit code it ends with."""
    if isinstance(error, KeyboardInterrupt) or type(error).__name__ == "Interrupted":
        return Failure("Interrupted", "interrupted before it was done", "", "", INTERRUPTED)
    if isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        return describe(error.exceptions[0])
    families = [family.__name__ for family in type(error).__mro__]
    code = next((_EXIT_CODES[name] for name in families if name in _EXIT_CODES), None)
    message = getattr(error, "format_message", None)
    text = str(message() if callable(message) else getattr(error, "message", error))
    where = str(getattr(error, "where", "") or "")
    mend = str(getattr(error, "mend", "") or "")
    if isinstance(error, OSError) and not where:
        text, where = error.strerror or text, str(error.filename or "")
        mend = mend or "check the path and its permissions"
    if "ClickException" in families:
        where, mend = _usage_place(error, text)
    if code is None:
        return Failure(families[0], text or families[0], _raised_at(error), _BUG_MEND, UNSOLVED)
    return Failure(families[0], text, where, mend, code)


def _usage_place(error: BaseException, text: str) -> tuple[str, str]:
    context = getattr(error, "ctx", None)
    command = str(context.command_path) if context is not None else "atlas"
    if text.startswith("No such command") and " " in text.split("'")[1]:
        return command, 'a task comes after its verb: atlas run "..."'
    return command, f"see `{command} --help`"


def _raised_at(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def report_failure(error: BaseException, *, as_json: bool, debug: bool) -> int:
    """Print an error in the form asked for and return the exit code."""
    failure = describe(error)
    if failure.type == "NoArgsIsHelpError" and not as_json:
        print(failure.message, file=sys.stderr)
        return failure.exit_code
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    if as_json and failure.where != "standard output":
        fields = {"type": failure.type, "message": failure.message, "where": failure.where, "mend": failure.mend}
        print_json({"error": fields})
        return failure.exit_code
    place = f"{safe(failure.where)}: " if failure.where else ""
    note(f"error: {place}{safe(failure.message)}")
    if failure.mend:
        note(f"mend: {safe(failure.mend)}")
    return failure.exit_code


def note(text: str) -> None:
    """A line for the person at the terminal (stderr); it may quote names and words of servers."""
    print(f"atlas: {safe(text)}", file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """One JSON object on one line of stdout."""
    _print(json.dumps(value, ensure_ascii=True, default=str))


def _print(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:  # whoever read it has seen enough
        raise
    except OSError as problem:
        raise UsageError(
            f"the result cannot be printed: {problem.strerror}", where="standard output",
            mend="make room there, or send the output elsewhere",
        ) from problem  # fmt: skip


def print_result(value: Any) -> None:
    """A result for a person: text as it is, anything else as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    _print(safe(text) if sys.stdout.isatty() else printable(text))


def printable(text: str) -> str:
    """Text that any UTF-8 stream can take: lone surrogates become escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def safe(text: str) -> str:
    """Untrusted text for a terminal: control and direction characters become visible escapes."""
    return "".join(char if _harmless(char) else ascii(char)[1:-1] for char in text)


def _harmless(char: str) -> bool:
    return char in "\n\t" or char.isprintable() or (char.isspace() and ord(char) > 0xA0 and char not in "\u2028\u2029")
