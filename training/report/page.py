"""Puts the page together from what lies in the run's folder, so that it can be made again at any time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime.adapters import users_of
from .plots import lines, shares

if TYPE_CHECKING:
    from ..recipes.folder import RunFolder

NAME = "report.html"
_EXAMPLES = 6
_STYLE = """
:root{color-scheme:light dark;--ink:#1f2937;--soft:#6b7280;--line:#e5e7eb;--back:#ffffff;--panel:#f9fafb}
@media(prefers-color-scheme:dark){:root{--ink:#e5e7eb;--soft:#9ca3af;--line:#374151;--back:#111827;--panel:#1f2937}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--back);max-width:1180px;
margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}h3{font-size:.95rem;margin:.4rem 0}
.grid2{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:1rem}
.panel{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:.8rem 1rem;overflow:hidden}
svg{width:100%;max-width:620px;height:auto;font:11px system-ui,sans-serif}svg text{fill:var(--soft)}
svg .grid{stroke:var(--line)}svg .ink{stroke:var(--ink);stroke-width:2}
table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top}
th{font-weight:600;color:var(--soft)}pre{white-space:pre-wrap;word-break:break-word;margin:.2rem 0;font-size:12px}
.legend span{margin-right:1rem;font-size:12px;color:var(--soft)}.legend i{display:inline-block;width:10px;height:10px;
margin-right:4px;border-radius:2px}.note{color:var(--soft)}.good{color:#059669}.bad{color:#dc2626}
"""


def write_report(folder: RunFolder) -> Path:
    """Write `report.html` of a run and return its path."""
    state = folder.state()
    metrics = folder.lines("metrics.jsonl")
    before, after = folder.lines("before.jsonl"), folder.lines("after.jsonl")
    body = [
        f"<h1>{escape(folder.name)}</h1>", _summary(state), _learned_from(state), _trial(state, before, after),
        _curves(metrics), _decisions(metrics), _selection(folder.lines("selections.jsonl"), state),
        _examples(before, after), _notes(state), _options(state),
    ]  # fmt: skip
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Atlas training run {escape(folder.name)}</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(body)}</body></html>\n"
    )
    return folder.write(NAME, page)


def _summary(state: Mapping[str, Any]) -> str:
    result = state.get("result") or {}
    options = state.get("options") or {}
    promoted = result.get("promoted")
    verdict = f"promoted: {users_of(str(options.get('recipe')))} use it now" if promoted else "saved, not promoted"
    cells = {
        "recipe": options.get("recipe"), "model": options.get("model"), "episodes": result.get("episodes"),
        "rows": result.get("rows"), "steps": result.get("steps"), "seconds": result.get("seconds"),
        "adapter": verdict if result.get("adapter") else "none",
    }  # fmt: skip
    return _table([(name, value) for name, value in cells.items() if value is not None])


def _learned_from(state: Mapping[str, Any]) -> str:
    """Who says how the episodes went, and what was left out for which reason."""
    rows = [(f"{name} outcome", f"{count} episodes") for name, count in (state.get("sources") or {}).items()]
    rows += [("left out", f"{count} {reason}") for reason, count in (state.get("left_out") or {}).items()]
    return _section("Learned from", _table(rows)) if rows else ""


def _trial(state: Mapping[str, Any], before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> str:
    if not before or not after:
        return _section("Held-out tasks", '<p class="note">Not evaluated, so nothing was promoted.</p>')
    trial = state.get("trial") or {}
    bars = [(name, *_share(rows)) for name, rows in (("before", before), ("after", after))]
    low, high = trial.get("interval", (0, 0))
    text = (
        f"<p>{len(before)} held-out tasks of <b>{escape(str(trial.get('suite')))}</b>, the same before and after. Change "
        f"{100 * trial.get('gain', 0.0):+.1f} points, paired 95 % interval {100 * low:+.1f} to {100 * high:+.1f}.</p>"
    )
    figures = []
    for name, key in (("tokens a task (peak of the prompt)", "tokens"), ("turns a task", "turns")):
        figures.append((name, f"{_mean(before, key):.4g} before, {_mean(after, key):.4g} after"))
    families = _families(before, after)
    return _section("Held-out tasks, before and after", text + shares(bars) + _table(figures) + families)


def _families(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> str:
    names = sorted({str(row["family"]) for row in before})
    rows = []
    for name in names:
        old = [row for row in before if row["family"] == name]
        new = [row for row in after if row["family"] == name]
        rows.append((name, f"{_share(old)[0]:.0%} of {len(old)} before, {_share(new)[0]:.0%} after"))
    return "<h3>By family</h3>" + _table(rows)


def _curves(metrics: Sequence[Mapping[str, Any]]) -> str:
    panels = []
    taught = [line for line in metrics if line.get("phase") == "imitate"]
    practised = [line for line in metrics if line.get("phase") in ("reinforce", "replay", "route")]
    panels.append(_panel("Supervised loss", {
        "loss": _points(taught, "loss"), "watched episodes": _points(taught, "watched_loss"),
    }))  # fmt: skip
    panels.append(_panel("Reward and success of rollouts", {
        "reward": _points(practised, "reward"), "success": _points(practised, "success"),
        "gates passed": _points(practised, "gates"),
    }, low=0, high=1))  # fmt: skip
    panels += _routing(practised)
    criteria = sorted({name for line in practised for name in line.get("criteria") or {}})
    panels.append(_panel("Criteria by category", {
        name: [(line["step"], (line.get("criteria") or {}).get(name)) for line in practised] for name in criteria
    }, low=0, high=1))  # fmt: skip
    panels.append(_panel("Divergence from the policy that was sampled (k3)", {"k3": _points(practised, "k3")}))
    if any(line.get("kl_base") for line in practised):  # computed only where it is part of the loss
        panels.append(_panel("KL from the base", {"KL": _points(practised, "kl_base")}))
    share = {"share": _points(practised, "effective_share")}
    panels.append(_panel("Effective share of the sampled tokens", share, low=0, high=1))
    panels.append(_panel("Reply tokens of a rollout", {"tokens": _points(practised, "reply_tokens")}))
    panels.append(_panel("Turns of a rollout", {"turns": _points(practised, "turns")}))
    panels.append(_panel("Groups in which all did equally well", {"groups": _points(practised, "flat_groups")}))
    drawn = [panel for panel in panels if panel]
    return _section("Over the steps", f'<div class="grid2">{"".join(drawn)}</div>') if drawn else ""


def _routing(practised: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the learned router earned, part by part, and whom it asked."""
    routed = [line for line in practised if line.get("phase") == "route"]
    parts = {name: _points(routed, f"reward_{name}") for name in ("format", "outcome", "selection")}
    asked = sorted({name for line in routed for name in line.get("asked") or {}})
    rules = sorted({name for line in routed for name in line.get("rules") or {}})
    return [
        _panel("Parts of the router's reward", parts),
        _panel("Rules of the format that were kept", {
            name: [(line["step"], (line.get("rules") or {}).get(name)) for line in routed] for name in rules
        }, low=0, high=1),
        _panel("Models asked, share", {
            name: [(line["step"], (line.get("asked") or {}).get(name)) for line in routed] for name in asked
        }, low=0, high=1),
        _panel("USD a task", {"USD": _points(routed, "usd")}),
        _panel("Value loss", {"loss": _points(routed, "loss_value")}),
        _panel("What the critic saw coming", {"explained variance": _points(routed, "explained_variance")}),
    ]  # fmt: skip


def _panel(
    title: str, series: Mapping[str, Sequence[tuple[float, float | None]]], low: float | None = None,
    high: float | None = None,
) -> str:  # fmt: skip
    plot = lines(series, low=low, high=high)
    return f'<div class="panel"><h3>{escape(title)}</h3>{plot}</div>' if plot else ""


def _points(metrics: Sequence[Mapping[str, Any]], key: str) -> list[tuple[float, float | None]]:
    return [(line["step"], line.get(key)) for line in metrics]


def _decisions(metrics: Sequence[Mapping[str, Any]]) -> str:
    """What to load and what to execute are both learned; this is what each earned."""
    found = [line for line in metrics if line.get("decisions")]
    if not found:
        return ""
    series = {
        {"loading": "what to load", "acting": "what to execute"}[name]: [
            (line["step"], line["decisions"].get(name)) for line in found
        ]
        for name in ("loading", "acting")
    }
    note = '<p class="note">Mean score of the criteria that credit each of the two learnable decisions.</p>'
    return _section("Credit: loading and executing", note + lines(series, low=0, high=1))


def _selection(selections: Sequence[Mapping[str, Any]], state: Mapping[str, Any]) -> str:
    if not selections:
        return ""
    kinds = Counter(f"{one['selector']} (version {one['version']})" for one in selections)
    categories = Counter(label["category"] or "none" for one in selections for label in one["labels"])
    fell_back = Counter(one["fell_back"] for one in selections if one["fell_back"] and one["turns"])
    steps = sum(one["steps"] for one in selections)
    chosen = sum(len(one["turns"]) for one in selections)
    rows: list[tuple[str, Any]] = [("steps chosen", f"{chosen} of {steps} in {len(selections)} episodes")]
    rows += [("selector", f"{name}: {count} episodes") for name, count in kinds.most_common()]
    rows += [(name.replace("_", " "), count) for name, count in categories.most_common()]
    rows += [("by data flow instead", f"{count}: {reason}") for reason, count in fell_back.most_common()]
    if state.get("flips"):
        rows.append(("failures turned into successes", state["flips"]))
    samples = [
        f"<pre>episode {escape(one['episode'])}, turn {label['turn']}, {escape(str(label['category']))}: "
        f"{escape(label['reason'])}</pre>"
        for one in selections for label in one["labels"][:1]
    ][:_EXAMPLES]  # fmt: skip
    return _section("Critical steps", _table(rows) + "".join(samples))


def _examples(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> str:
    pairs = list(zip(before, after, strict=False))
    better = [(old, new) for old, new in pairs if new["success"] and not old["success"]]
    worse = [(old, new) for old, new in pairs if old["success"] and not new["success"]]
    if not better and not worse:
        return ""
    parts = []
    for title, css, found in (("Got better", "good", better), ("Got worse", "bad", worse)):
        shown = "".join(_example(old, new) for old, new in found[:_EXAMPLES]) or "<p class='note'>none</p>"
        parts.append(f'<div class="panel"><h3 class="{css}">{title}: {len(found)}</h3>{shown}</div>')
    return _section("Examples", f'<div class="grid2">{"".join(parts)}</div>')


def _example(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    return (
        f"<p><b>{escape(str(old['text'])[:300])}</b> <span class='note'>({escape(str(old['task']))})</span></p>"
        f"<pre>before: {escape(_said(old))}</pre><pre>after: {escape(_said(new))}</pre>"
    )


def _said(row: Mapping[str, Any]) -> str:
    answer = json.dumps(row["answer"], ensure_ascii=False, default=str)[:200]
    return f"{row['status']} {answer}" + (f" ({str(row['why'])[:200]})" if row.get("why") else "")


def _notes(state: Mapping[str, Any]) -> str:
    notes = [str(one) for one in state.get("notes") or []]
    if not notes:
        return ""
    return _section("Notes", "<ul>" + "".join(f"<li>{escape(one)}</li>" for one in notes) + "</ul>")


def _options(state: Mapping[str, Any]) -> str:
    made = datetime.now(UTC).isoformat(timespec="seconds")
    rows = [(name, value) for name, value in (state.get("options") or {}).items() if value is not None]
    return _section("Options", _table(rows)) + f'<p class="note">Written {made}.</p>'


def _section(title: str, inside: str) -> str:
    return f"<h2>{escape(title)}</h2>{inside}"


def _table(rows: Sequence[tuple[str, Any]]) -> str:
    cells = "".join(f"<tr><th>{escape(str(name))}</th><td>{escape(str(value))}</td></tr>" for name, value in rows)
    return f"<table>{cells}</table>"


def _share(rows: Sequence[Mapping[str, Any]]) -> tuple[float, float, float]:
    from ..evaluate import wilson

    good = sum(bool(row["success"]) for row in rows)
    low, high = wilson(good, len(rows))
    return good / max(1, len(rows)), low, high


def _mean(rows: Sequence[Mapping[str, Any]], key: str) -> float:
    return sum(float(row[key]) for row in rows) / max(1, len(rows))
