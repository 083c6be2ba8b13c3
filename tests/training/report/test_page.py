"""The report is one page that needs nothing else, made from the folder alone, and holds what a run can show."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from atlas.training.recipes.folder import new_run
from atlas.training.recipes.options import TrainOptions
from atlas.training.report import write_report
from atlas.training.report.plots import lines, shares


def row(number, success):
    return {"task": f"t{number}", "family": "pipe", "text": f"do <b>{number}</b>", "success": success, "status": "answered",
            "answer": number, "why": "" if success else "wrong", "tokens": 500, "turns": 1}  # fmt: skip


def test_the_page_holds_plots_interval_examples_and_notes_and_no_foreign_address(tmp_path):
    folder = new_run(tmp_path, TrainOptions(), None)
    for step in range(1, 4):
        folder.append("metrics.jsonl", {"phase": "imitate", "step": step, "loss": 2.0 / step})
        folder.append("metrics.jsonl", {
            "phase": "reinforce", "step": step, "reward": 0.2 * step, "success": 0.1, "criteria": {"tool": 0.5},
            "decisions": {"loading": 0.4, "acting": None}, "kl_base": 0.01, "k3": None, "reply_tokens": 30, "turns": 1.5,
        })  # fmt: skip
    folder.write_lines("before.jsonl", [row(1, False), row(2, True)])
    folder.write_lines("after.jsonl", [row(1, True), row(2, False)])
    folder.note(
        trial={"suite": "toolbox", "gain": 0.0, "interval": [-0.5, 0.5]}, notes=["a <note>"],
        result={"adapter": "x", "promoted": True},
    )
    page = write_report(folder).read_text()
    for words in ("Reward and success", "Criteria by category", "Got better: 1", "Got worse: 1", "a &lt;note&gt;",
                  "promoted", "what to load", "+0.0 points", "do &lt;b&gt;1&lt;/b&gt;"):  # fmt: skip
        assert words in page, words
    assert page.count("<svg") >= 6 and "http" not in page and "<script" not in page
    HTMLParser().feed(page)


def test_a_run_without_anything_still_has_a_page(tmp_path):
    assert "Not evaluated" in write_report(new_run(tmp_path, TrainOptions(), None)).read_text()


def test_plots_of_nothing_are_empty_and_missing_values_are_gaps():
    assert lines({"a": [(1, None)]}) == "" and shares([]) == ""
    assert lines({"a": [(1, 1.0), (2, None), (3, float("nan"))]}).count("<circle") == 1


@pytest.mark.parametrize(("recipe", "users"), [("sft", "plain runs"), ("router", "runs with --router learned")])
def test_the_page_says_whose_runs_use_a_promoted_adapter(tmp_path, recipe, users):
    folder = new_run(tmp_path, TrainOptions(recipe=recipe), None)
    folder.note(result={"adapter": "x", "promoted": True})
    assert f"promoted: {users} use it now" in write_report(folder).read_text()
