"""What study 3 found, as a table and a plot: variants by toolspaces, success against tokens of context."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loading_work import Plan, Variant, variants

from atlas.training.evaluate import wilson
from atlas.training.report.plots import COLOURS, lines, standalone
from atlas.training.suites import TOOLSPACES


@dataclass
class Cell:
    """One variant in one toolspace, over all seeds."""

    solved: list[list[bool]] = field(default_factory=list)
    """Task by task, for each seed."""
    tokens: list[int] = field(default_factory=list)
    """The largest prompt of each task."""
    full: int = 0
    """Tasks that ended because the context was full."""
    needed: list[int] = field(default_factory=list)
    """Where it does not fit: tokens of first prompts."""

    @property
    def all(self) -> list[bool]:
        """Every task of every seed."""
        return [one for seed in self.solved for one in seed]

    @property
    def share(self) -> float:
        """Of the tasks that were solved."""
        return statistics.fmean(self.all) if self.all else 0.0

    def add(self, rows: Sequence[Mapping[str, object]]) -> None:
        """The lines of one seed."""
        needed = [one["needed"] for one in rows if "needed" in one]
        self.needed += [one for one in needed if isinstance(one, int)]
        played = [one for one in rows if "success" in one]
        if played:
            self.solved.append([bool(one["success"]) for one in played])
            self.tokens += [int(str(one["tokens"])) for one in played]
            self.full += sum(one["status"] == "budget" for one in played)


def cells(plan: Plan) -> dict[tuple[Variant, str], Cell]:
    """Everything that was scored."""
    found: dict[tuple[Variant, str], Cell] = {}
    for variant in variants():
        for suite in TOOLSPACES:
            cell = found[variant, suite] = Cell()
            for seed in plan.seeds:
                file = variant.folder(plan, seed) / f"{suite.replace(':', '-')}.jsonl"
                if file.is_file():
                    cell.add([json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()])
    return found


def table(found: Mapping[tuple[Variant, str], Cell]) -> Iterator[str]:
    """One line for each variant and toolspace."""
    yield "| loading, acting | tools | solved | 95 % interval | by seed | tokens: mean | largest | context full |"
    yield "|---|---|---|---|---|---|---|---|"
    for (variant, suite), cell in found.items():
        start = f"| {variant.name} | {TOOLSPACES[suite]:,} |"
        if cell.needed:
            yield f"{start} does not fit: {statistics.fmean(cell.needed):,.0f} tokens before the first reply | | | | | |"
        elif cell.all:
            yield f"{start} {_figures(cell)} |"
        else:
            yield f"{start} not scored | | | | | |"


def _figures(cell: Cell) -> str:
    low, high = wilson(sum(cell.all), len(cell.all))
    seeds = ", ".join(f"{statistics.fmean(seed):.0%}" for seed in cell.solved)
    solved = f"{sum(cell.all)} of {len(cell.all)} ({cell.share:.1%})"
    tokens = f"{statistics.fmean(cell.tokens):,.0f} | {max(cell.tokens):,}"
    return f"{solved} | {low:.1%} to {high:.1%} | {seeds} | {tokens} | {cell.full}"


def draw(found: Mapping[tuple[Variant, str], Cell], file: Path) -> None:
    """Success against mean tokens; a line for each variant, its points are the toolspaces from small to large."""
    series: dict[str, list[tuple[float, float]]] = {}
    for (variant, _), cell in found.items():
        if cell.all:
            series.setdefault(variant.name, []).append((statistics.fmean(cell.tokens), cell.share))
    svg, _, _ = lines(series, label="mean of the largest prompt, tokens", low=0.0).partition("<p class")
    marks = "".join(
        f'<text x="430" y="{24 + 14 * at}" style="fill:{colour}">{name}</text>'
        for at, (colour, name) in enumerate(zip(COLOURS, series, strict=False))
    )
    file.write_text(standalone(svg, marks) if svg else "", encoding="utf-8")
