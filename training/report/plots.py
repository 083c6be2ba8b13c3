"""Plots as inline SVG: lines over steps, and shares with their intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 560, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 28
COLOURS = ("#2563eb", "#d97706", "#059669", "#db2777", "#7c3aed", "#64748b", "#dc2626", "#0891b2")

Points = Sequence[tuple[float, float | None]]


def lines(series: Mapping[str, Points], *, label: str = "step", low: float | None = None, high: float | None = None) -> str:
    """One line for each series; gaps where a value is missing. Empty where there is nothing to draw."""
    known = {name: [(x, y) for x, y in points if y is not None and math.isfinite(y)] for name, points in series.items()}
    known = {name: points for name, points in known.items() if points}
    if not known:
        return ""
    every = [point for points in known.values() for point in points]
    x_range = _range([x for x, _ in every])
    y_range = _range([y for _, y in every], low, high)
    parts = [_frame(x_range, y_range, label)]
    for colour, (_, points) in zip(_cycle(), known.items(), strict=False):
        places = [(_across(x, x_range), _down(y, y_range)) for x, y in points]
        if len(places) > 1:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        if len(places) < 60:
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.2" fill="{colour}"/>' for x, y in places]
    return _svg("".join(parts), HEIGHT) + _legend(list(known))


def shares(bars: Sequence[tuple[str, float, float, float]]) -> str:
    """Horizontal bars from 0 to 100 %, each `(name, share, low, high)` with its interval."""
    if not bars:
        return ""
    left, row = 150, 30
    height = row * len(bars) + 26
    span = WIDTH - left - 60
    parts = []
    for number in range(5):
        x = left + span * number / 4
        parts.append(f'<line x1="{x:.1f}" y1="4" x2="{x:.1f}" y2="{height - 22}" class="grid"/>')
        parts.append(f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle">{25 * number} %</text>')
    for number, (name, share, low, high) in enumerate(bars):
        y = 8 + number * row
        colour = COLOURS[number % 2]
        parts.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<rect x="{left}" y="{y}" width="{max(1.0, span * share):.1f}" height="18" fill="{colour}"/>')
        middle = y + 9
        parts.append(
            f'<line x1="{left + span * low:.1f}" y1="{middle}" x2="{left + span * high:.1f}" y2="{middle}" class="ink"/>'
        )
        parts.append(f'<text x="{left + span * high + 6:.1f}" y="{y + 14}">{share:.1%}</text>')
    return _svg("".join(parts), height)


def standalone(svg: str, more: str = "") -> str:
    """A plot as a file of its own, which no page styles; `more` is drawn over it."""
    style = (
        "<style>svg{background:#fff}text{font:11px system-ui,sans-serif;fill:#6b7280}.grid{stroke:#e5e7eb}"
        ".ink{stroke:#111}</style>"
    )
    opened = svg.index(">") + 1
    head = svg[:opened].replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" width="620" ', 1)
    return head + style + svg[opened:].replace("</svg>", f"{more}</svg>") + "\n"


def _svg(inside: str, height: int) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img">{inside}</svg>'


def _legend(names: Sequence[str]) -> str:
    marks = (
        f'<span><i style="background:{colour}"></i>{escape(name)}</span>'
        for colour, name in zip(_cycle(), names, strict=False)
    )
    return f'<p class="legend">{"".join(marks)}</p>'


def _cycle() -> Sequence[str]:
    return COLOURS * 4


def _range(values: Sequence[float], low: float | None = None, high: float | None = None) -> tuple[float, float]:
    bottom = min(values) if low is None else min(low, *values)
    top = max(values) if high is None else max(high, *values)
    if bottom == top:
        bottom, top = bottom - 0.5, top + 0.5
    return bottom, top


def _across(x: float, x_range: tuple[float, float]) -> float:
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * (x - x_range[0]) / (x_range[1] - x_range[0])


def _down(y: float, y_range: tuple[float, float]) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (y - y_range[0]) / (y_range[1] - y_range[0])


def _frame(x_range: tuple[float, float], y_range: tuple[float, float], label: str) -> str:
    parts = []
    for number in range(5):
        value = y_range[0] + (y_range[1] - y_range[0]) * number / 4
        y = _down(value, y_range)
        parts.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{WIDTH - _RIGHT}" y2="{y:.1f}" class="grid"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_figure(value)}</text>')
    for place, anchor in ((x_range[0], "start"), (x_range[1], "end")):
        parts.append(f'<text x="{_across(place, x_range):.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}">{place:g}</text>')
    parts.append(f'<text x="{(WIDTH + _LEFT) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{escape(label)}</text>')
    return "".join(parts)


def _figure(value: float) -> str:
    """A number for an axis: short enough for its margin."""
    return f"{value:.3g}" if not value or abs(value) >= 1e-3 else f"{value:.1e}".replace("e-0", "e-")
