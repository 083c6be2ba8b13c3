"""Study 3 (docs/studies/loading.md): the paper's table of variants, `--loading` x `--acting`. Says first how long it takes.

    .venv/bin/python benchmarks/study_loading.py --estimate
    .venv/bin/python benchmarks/study_loading.py

One nano base for each way of acting, from nothing and for the same time; on it one adapter for each way of loading and each
seed, taught with equally many references for equally many steps; then held-out tasks in toolspaces of 20, 250 and 2,500
tools within a context of 8,192 tokens. A study that was killed goes on when it is called again with the same options.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from loading_paces import Paces, forecast, hours
from loading_page import cells, draw, table
from loading_work import ACTINGS, CONTEXT, STEP_ROWS, Plan, Variant, variants, work
from measure import BIN, machine
from study import OUT

from atlas.training.worlds.variants import Acting

PLAN = "plan.json"
MOST_HOURS = 12
TEXT = """
Made by `benchmarks/study_loading.py`. The variants of ATLAS (arXiv 2603.06713): how tools come into view (`--loading`), and
whether the policy writes programs or one JSON call a reply (`--acting`). `search`: a first view by the task's words, then
`search_tools`; `servers`: nothing at first, `load_tools("server")` shows all tools of a server; `tools`: that names them,
and `load_tools("server.tool")` shows one; `eager`: every tool at once. Where the first prompt does not fit, no task was
played: the table says how many tokens it takes.

{bases} There is **one base for each way of acting**: its luck is not in the intervals, and the seeds are those of
adapters and tasks. Both bases learned with `search`, as nano does; every other way of loading is new to its adapter. On
its base every adapter imitated {references} references of practice tasks in its variant, for {steps} steps of {rows}
rows: from toolspaces of 20 and 250 tools in turn, those of `eager` from 20 alone, because 250 do not fit. Prompts of
2,500 tools were seen by none. Then {tasks} held-out tasks for each toolspace and seed, the same for all variants,
greedily, at most {turns} replies, {output} tokens of a result shown, and no constraint of names in decoding, which JSON
calls do not have. The context is {context} tokens, prompt and reply together; tokens are those of the largest prompt of a
task.

Tasks are made so that a search for their own words finds what they need: that favours `search`. The first prompt of
`servers` and `tools` names the servers, and in a third of the worlds most of these names are made up (of the 40 servers of
2,500 tools at least 15 always), so that the server has to be guessed. Bases read prompts of up to some 2,000 tokens in
pretraining, and adapters of up to some 3,500: what lies beyond, they have never seen.

{machine}
"""


def main() -> None:
    """The whole study, or one job of it."""
    given = _arguments()
    if given.job:
        acting, loading, seed = given.job.split("/")
        plan = Plan.from_json(json.loads((given.folder / PLAN).read_text()))
        asyncio.run(work(plan, Variant(acting, loading), int(seed)))
        return
    plan = _plan(given)
    paces = Paces.measured()
    print(forecast(plan, paces), flush=True)
    if given.estimate:
        return
    if hours(plan, paces) > MOST_HOURS:
        sys.exit(f"that is more than {MOST_HOURS} machine-hours: take fewer --minutes, --steps, --tasks or --seeds")
    run(plan)
    write(plan, given.out)


def run(plan: Plan) -> None:
    """Bases, then adapters and scores, `plan.jobs` at a time."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    (plan.folder / PLAN).write_text(json.dumps(plan.to_json(), indent=1))
    vocabulary = _vocabulary(plan)
    for acting in ACTINGS:
        _base(plan, acting, vocabulary)
    jobs = [(variant, seed) for seed in plan.seeds for variant in variants()]
    with ThreadPoolExecutor(plan.jobs) as pool:
        for failed in filter(None, pool.map(lambda job: _job(plan, *job), jobs)):
            print(failed, flush=True)


def _vocabulary(plan: Plan) -> Path:
    """One vocabulary for both bases, so that their tokens can be compared."""
    from atlas.training.nano.config import MODELS, RECIPES
    from atlas.training.nano.pretrain import prepare_vocabulary

    folder = Path(plan.folder, "vocabulary")
    folder.mkdir(exist_ok=True)
    prepare_vocabulary(MODELS[plan.recipe], RECIPES[plan.recipe], folder)
    return folder


def _base(plan: Plan, acting: Acting, vocabulary: Path) -> None:
    target = plan.base(acting)
    if target.is_file():
        return
    target.parent.mkdir(exist_ok=True)
    for name in ("tokenizer.json", "lexicon.txt"):
        shutil.copy(vocabulary / name, target.parent / name)
    _say(f"base for {acting}, {plan.minutes:g} minutes")
    subprocess.run(
        [BIN / "python", "-m", "atlas.training.nano", "--recipe", plan.recipe, "--acting", acting, "--out", target.parent,
         "--minutes", str(plan.minutes), "--tokens", "1000000000", "--context", str(CONTEXT), "--toolbox-share", "0",
         "--shared-share", "0", "--workers", str(plan.workers)],
        check=True, stderr=(target.parent / "log.txt").open("a"),
    )  # fmt: skip


def _job(plan: Plan, variant: Variant, seed: int) -> str | None:
    """Teach and score one adapter in a process of its own; what went wrong, if anything did."""
    name = f"{variant.acting}/{variant.loading}/{seed}"
    folder = variant.folder(plan, seed)
    folder.mkdir(parents=True, exist_ok=True)
    _say(name)
    with (folder / "log.txt").open("a") as log:
        done = subprocess.run(
            [sys.executable, __file__, "--folder", plan.folder, "--job", name], stdout=log, stderr=subprocess.STDOUT
        )
    return f"{name} failed; see {folder / 'log.txt'}" if done.returncode else None


def write(plan: Plan, out: Path) -> None:
    """The page with its table and its plot."""
    out.mkdir(parents=True, exist_ok=True)
    found = cells(plan)
    draw(found, out / "loading.svg")
    text = TEXT.format(
        bases=_bases(plan), references=plan.references, steps=plan.steps, rows=STEP_ROWS, tasks=plan.tasks, turns=plan.turns,
        output=f"{plan.output:,}", context=f"{CONTEXT:,}", machine=machine(),
    ).strip()  # fmt: skip
    parts = [
        "# Study 3: how tools come into view, and how they are called", text, "\n".join(table(found)), "![](loading.svg)",
        "Success against tokens: each line is a variant, its points are toolspaces of 20, 250 and 2,500 tools.",
    ]
    (out / "loading.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    _say(f"wrote {out / 'loading.md'}")


def _bases(plan: Plan) -> str:
    """What the bases are, from the last lines of their logs."""
    said = []
    for acting in ACTINGS:
        rows = (plan.base(acting).parent / "metrics.jsonl").read_text().splitlines()
        last = json.loads(rows[-1])
        exact = sum(json.loads(row)["exact"] for row in rows[-50:]) / len(rows[-50:])
        said.append(f"{acting} {last['tokens'] / 1e6:.1f} M positions, {exact:.0%} of branches exact at the end")
    return f"Both bases learned from nothing for {plan.minutes:g} minutes ({'; '.join(said)})."


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def _plan(given: argparse.Namespace) -> Plan:
    return Plan(
        given.folder, tuple(given.seeds), given.minutes, given.references, given.steps, given.tasks, given.turns,
        recipe=given.recipe, workers=given.workers, jobs=given.jobs,
    )  # fmt: skip


def _arguments() -> argparse.Namespace:
    usual = Plan(Path("runs/study-loading"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=usual.folder, help="where everything is kept")
    parser.add_argument("--out", type=Path, default=OUT, help="the folder of the page and its plot")
    parser.add_argument("--estimate", action="store_true", help="only say how long it will take")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(usual.seeds))
    parser.add_argument("--minutes", type=float, default=usual.minutes, help="of pretraining, for each base")
    parser.add_argument("--references", type=int, default=usual.references, help="that every adapter imitates")
    parser.add_argument("--steps", type=int, default=usual.steps, help="of learning, for every adapter")
    parser.add_argument("--tasks", type=int, default=usual.tasks, help="held-out ones, for each toolspace and seed")
    parser.add_argument("--turns", type=int, default=usual.turns, help="replies to a task, at most")
    parser.add_argument("--recipe", default=usual.recipe, choices=["cpu", "gpu", "smoke"], help="of the bases")
    parser.add_argument("--workers", type=int, default=usual.workers, help="processes of pretraining")
    parser.add_argument("--jobs", type=int, default=usual.jobs, help="adapters at once, with one core each")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
