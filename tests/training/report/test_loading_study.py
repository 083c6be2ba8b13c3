"""Study 3 (benchmarks/study_loading.py): its table, its plot and its estimate; the runs themselves are tried by hand."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from atlas.training.suites import TOOLSPACES

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import loading_page

    return loading_page


@pytest.fixture
def paces(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import loading_paces

    return loading_paces


def scored(plan: Any, variant: Any, seed: int, suite: str, rows: list[dict[str, Any]]) -> None:
    file = variant.folder(plan, seed) / f"{suite.replace(':', '-')}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def played(success: bool, tokens: int, status: str = "answered") -> dict[str, Any]:
    return {"success": success, "tokens": tokens, "status": status}


def test_the_table_pools_seeds_and_says_what_does_not_fit(page: ModuleType, tmp_path: Path) -> None:
    plan = page.Plan(tmp_path, seeds=(0, 1))
    search, eager = page.Variant("program", "search"), page.Variant("json", "eager")
    scored(plan, search, 0, "worlds:20", [played(True, 700), played(False, 7_680, "budget")])
    scored(plan, search, 1, "worlds:20", [played(True, 720), played(True, 900)])
    scored(plan, eager, 0, "worlds:2500", [{"needed": 130_000}, {"needed": 140_000}])
    lines = list(page.table(page.cells(plan)))
    assert len(lines) == 2 + 8 * len(TOOLSPACES)
    assert "| search, program | 20 | 3 of 4 (75.0%) | 30.1% to 95.4% | 50%, 100% | 2,500 | 7,680 | 1 |" in lines
    assert any(line.startswith("| eager, json | 2,500 | does not fit: 135,000 tokens") for line in lines)
    assert all(line.count("|") == 9 for line in lines)


def test_the_plot_has_a_line_for_each_variant_that_was_scored(page: ModuleType, tmp_path: Path) -> None:
    plan = page.Plan(tmp_path, seeds=(0,))
    for suite, tokens in zip(TOOLSPACES, (700, 900, 1_000), strict=True):
        scored(plan, page.Variant("program", "search"), 0, suite, [played(True, tokens), played(False, tokens)])
    page.draw(page.cells(plan), tmp_path / "plot.svg")
    drawn = (tmp_path / "plot.svg").read_text()
    assert drawn.count("<polyline") == 1 and "search, program" in drawn and drawn.rstrip().endswith("</svg>")


def test_a_plan_is_told_to_a_job_as_it_is(page: ModuleType, tmp_path: Path) -> None:
    plan = page.Plan(tmp_path, seeds=(3, 4), minutes=1.5)
    assert page.Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_the_usual_study_takes_less_than_twelve_hours(paces: ModuleType) -> None:
    usual, pace = paces.Plan(Path("runs")), paces.Paces({"worlds:20": 0.5, "worlds:250": 0.7, "worlds:2500": 2.3})
    assert 2 * usual.minutes / 60 < paces.hours(usual, pace) < 12
    assert f"{paces.hours(usual, pace):.1f} machine-hours" in paces.forecast(usual, pace)


def test_what_does_not_fit_costs_no_time_and_longer_prompts_cost_more(paces: ModuleType) -> None:
    plan, pace = paces.Plan(Path("runs")), paces.Paces(dict.fromkeys(TOOLSPACES, 1.0))
    eager, servers, tools = (paces.Variant("program", loading) for loading in ("eager", "servers", "tools"))
    assert paces.scoring(plan, pace, eager) == plan.tasks and paces.scoring(plan, pace, servers) == 3 * plan.tasks
    assert paces.teaching(plan, pace, servers) > paces.teaching(plan, pace, tools)
