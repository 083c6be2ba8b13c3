"""From what a program did to what the policy reads next, within a token budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .prompt import result_message

if TYPE_CHECKING:
    from ..sandbox import Outcome

Count = Callable[[str], int]
_ERROR_TOKENS = 120
_LINE_CHARS = 160
_CALLS_SHOWN = 12
_VARIABLES_SHOWN = 16
NO_PROGRAM = "no program in the reply"


@dataclass(frozen=True, slots=True)
class Step:
    """One earlier turn, for the line that a re-based prompt keeps of it."""

    turn: int
    program: str | None
    status: str
    error: str | None
    output: str
    effects: tuple[str, ...]

    @property
    def line(self) -> str:
        """What was done and what came of it, on one line."""
        done = f"did {', '.join(self.effects)}" if self.effects else _short(self.program or "no program", 100)
        came = f"error: {self.error}" if self.error else _short(self.output, 60)
        return _short(f"turn {self.turn}: {done}" + (f" -> {came}" if came else ""), _LINE_CHARS)


def error_text(outcome: Outcome | None, count: Count, *, cut: bool, no_program: str = NO_PROGRAM) -> str | None:
    """`line 2: ToolError: no such file: a.txt`, or None where the program ended well."""
    if outcome is None:
        text = no_program
    elif outcome.error is not None:
        text = " ".join(str(outcome.error).split())
    elif outcome.status != "ok":
        text = f"the program ended: {outcome.status}"
    else:
        return None
    if cut and (outcome is None or outcome.status == "refused"):
        text += " (the reply was cut off: write less)"
    return head(text, _ERROR_TOKENS, count)


def after_program(
    outcome: Outcome | None, error: str | None, *, loaded: Sequence[str], effects: Sequence[str],
    lost: Sequence[str], output_tokens: int, count: Count,
) -> str:  # fmt: skip
    """The result message of a program that did not end the run."""
    printed = outcome.output if outcome else ""
    output = trimmed(printed, output_tokens, count)
    silent = not printed.strip() and not error and not loaded
    variables = outcome.variables if outcome and (silent or output != printed) else {}
    shown = {name: head(shape, 40, count) for name, shape in list(variables.items())[:_VARIABLES_SHOWN]}
    calls = list(effects[:_CALLS_SHOWN])
    if len(effects) > _CALLS_SHOWN:
        calls.append(f"... ({len(effects) - _CALLS_SHOWN} more calls)")
    return result_message(
        output=output, error=error, calls=[head(call, 60, count) for call in calls], loaded=loaded,
        variables=shown, lost=lost,
    )  # fmt: skip


def shortened(lines: Sequence[str], kept: int) -> list[str]:
    """The first `kept` lines, and one that says how many are missing."""
    missing = len(lines) - kept
    return [*lines[:kept], *([f"... ({missing} more; load fewer at once)"] if missing > 0 else [])]


def trimmed(text: str, tokens: int, count: Count) -> str:
    """The head of `text` in at most `tokens`, with a line that says how much is missing."""
    shown = head(text, tokens, count, mark="")
    if shown == text:
        return text
    cut = shown.rfind("\n")
    if cut > len(shown) // 2:
        shown = shown[:cut]
    return f"{shown}\n... ({len(text) - len(shown)} more characters)"


def head(text: str, tokens: int, count: Count, mark: str = "...") -> str:
    """The longest beginning of `text` that takes at most `tokens`."""
    if len(text) <= tokens // 4 or count(text) <= tokens:  # a character takes at most four tokens
        return text
    low, high = 0, min(len(text), tokens * 16)
    while low < high:
        middle = (low + high + 1) // 2
        if count(text[:middle] + mark) <= tokens:
            low = middle
        else:
            high = middle - 1
    return text[:low] + mark


def rebased_message(
    first: str, steps: Sequence[Step], variables: Sequence[tuple[str, str]], result: str
) -> str:
    """A first message that also says what was done so far."""
    lines = [first]
    if steps:
        lines += ["done so far:", *(step.line for step in steps)]
    if variables:
        lines += ["variables:", *(f"{name}: {_short(shape, 100)}" for name, shape in variables)]
    if result:
        lines += ["last result:", result]
    return "\n".join(lines)


def _short(text: str, length: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 3] + "..."
