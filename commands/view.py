"""A run on the terminal (stderr): each program highlighted, calls with their times, a gauge of the context.

Everything shown was written by a model, a tool or a file: control characters become visible escapes, and rich reads no
markup in any of it.
"""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from ..runtime.events import (
    ApprovalAsked,
    ApprovalGiven,
    CallFinished,
    CallProgress,
    CallStarted,
    EpisodeFinished,
    EpisodeStarted,
    Event,
    Notice,
    ProgramFinished,
    ProgramStarted,
    Rebased,
    ReplyDelta,
    StubsShown,
    TurnStarted,
)
from .report import safe

GAUGE_CELLS = 20
OUTPUT_LINES = 12
ARGUMENT_CHARS = 60


class TerminalView:
    """Shows events as they come; `close` takes the last moving line off the screen."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self._status = self.console.status(Text("starting", style="dim"))
        self._moving = False
        self._budget = 0
        self._prompt_tokens = 0
        self._pieces = 0
        self._arguments: dict[int, dict[str, Any]] = {}

    def show(self, event: Event) -> None:
        """Show one event."""
        match event:
            case EpisodeStarted():
                self._started(event)
            case StubsShown():
                self._line(f"{len(event.tools)} of {event.known} tools in view", "dim")
            case TurnStarted():
                self._prompt_tokens, self._pieces = event.prompt_tokens, 0
                self._move(f"turn {event.turn}: reading {event.prompt_tokens:,} tokens")
            case ReplyDelta():
                self._pieces += 1
                self._move(f"turn {event.turn}: writing, {self._pieces} tokens")
            case ProgramStarted():
                self._program(event)
            case CallStarted():
                self._arguments[event.call] = event.arguments
                self._move(f"{event.tool} ...")
            case CallProgress():
                self._move(f"{event.tool} {_progress(event)}")
            case CallFinished():
                self._call(event)
            case ApprovalAsked():
                self._stop()
            case ApprovalGiven():
                if not event.allowed:
                    self._line(f"  refused {event.tool} ({event.by})", "yellow")
            case ProgramFinished():
                self._program_end(event)
            case Rebased():
                self._line(f"prompt written anew: {event.before_tokens:,} -> {event.after_tokens:,} tokens", "dim")
            case Notice():
                self._line(f"atlas: {event.text}", "yellow")
            case EpisodeFinished():
                self._finished(event)

    def close(self) -> None:
        """Stop whatever moves."""
        self._stop()

    def _started(self, event: EpisodeStarted) -> None:
        self._budget = event.budget
        again = "resumed, " if event.resumed else ""
        self._line(f"{again}episode {event.episode}, model {event.model}", "dim")

    def _program(self, event: ProgramStarted) -> None:
        self._stop()
        heading = Text()
        heading.append(f"turn {event.turn}  ", style="bold")
        heading.append(self.gauge(self._prompt_tokens))
        self.console.print(heading)
        self.console.print(
            Syntax(safe(event.program.rstrip()), "python", theme="ansi_dark", background_color="default", word_wrap=True)
        )

    def gauge(self, tokens: int) -> Text:
        """How much of the token budget the prompt takes."""
        share = tokens / self._budget if self._budget else 0.0
        filled = min(GAUGE_CELLS, round(share * GAUGE_CELLS))
        style = "green" if share < 0.6 else "yellow" if share < 0.85 else "red"
        bar = Text()
        bar.append("█" * filled, style=style)
        bar.append("░" * (GAUGE_CELLS - filled), style="bright_black")
        bar.append(f" {tokens:,} of {self._budget:,} tokens", style="dim")
        return bar

    def _call(self, event: CallFinished) -> None:
        self._stop()
        arguments = ", ".join(f"{name}={_short(value)}" for name, value in self._arguments.pop(event.call, {}).items())
        mark, style = ("✓", "green") if event.ok else ("✗", "red")
        line = Text()
        line.append(f"  {mark} ", style=style)
        line.append(safe(f"{event.tool}({arguments})"))
        line.append("  from the journal" if event.replayed else f"  {_duration(event.seconds)}", style="dim")
        if event.error:
            line.append(f"  {safe(event.error)}", style="red")
        self._print(line)

    def _program_end(self, event: ProgramFinished) -> None:
        self._stop()
        lines = event.output.splitlines()
        for text in lines[:OUTPUT_LINES]:
            self._line(f"  {text}", "cyan")
        if len(lines) > OUTPUT_LINES:
            self._line(f"  ... {len(lines) - OUTPUT_LINES} more lines", "dim")
        if event.error:
            self._line(f"  {event.status}: {event.error}", "red")

    def _finished(self, event: EpisodeFinished) -> None:
        self._stop()
        episode, use = event.result, event.result.context
        style = "green" if episode.status == "answered" else "yellow"
        summary = Text()
        summary.append(episode.status, style=style)
        summary.append(
            f"  {_plural(episode.turns, 'turn')}, {_plural(episode.tool_calls, 'call')}, peak {use.peak:,} of {use.budget:,}"
            f" tokens, {episode.seconds:.1f} s",
            style="dim",
        )
        self._print(summary)
        if episode.error:
            self._line(episode.error, "red")

    def _line(self, text: str, style: str) -> None:
        self._stop()
        self._print(Text(safe(text), style=style))

    def _print(self, text: Text) -> None:
        """Wrapped at a terminal, one line in a file."""
        self.console.print(text, soft_wrap=not self.console.is_terminal)

    def _move(self, text: str) -> None:
        if not self.console.is_terminal:
            return
        self._status.update(Text(safe(text), style="dim"))
        if not self._moving:
            self._status.start()
            self._moving = True

    def _stop(self) -> None:
        if self._moving:
            self._status.stop()
            self._moving = False


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= ARGUMENT_CHARS else text[: ARGUMENT_CHARS - 3] + "..."


def _progress(event: CallProgress) -> str:
    share = f"{event.progress:g} of {event.total:g}" if event.total else f"{event.progress:g}"
    return f"{share} {(event.message or '')[:ARGUMENT_CHARS]}".rstrip()


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
