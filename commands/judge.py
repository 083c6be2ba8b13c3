"""`atlas judge`: says how far a judge can be trusted, trains the small one, and judges episodes that nobody rated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..runtime.errors import UsageError
from ..runtime.home import atlas_home
from .extras import check_training
from .progress import Progress
from .report import DONE, UNSOLVED, note, print_json, safe
from .running import run_async
from .settings import resolve

if TYPE_CHECKING:
    from ..runtime.policies.base import Policy
    from ..training.judges.calibration import Calibration
    from ..training.judges.examples import Example

app = typer.Typer(help="Calibrate and train judges of episodes.", no_args_is_help=True, rich_markup_mode=None)

FormName = Literal["criterion", "paper", "generic"]
Model = Annotated[str | None, typer.Option(metavar="SPEC", help="The judge: as --model of `atlas run`.")]
Adapter = Annotated[str | None, typer.Option(metavar="PATH|none", help="LoRA adapter that makes a judge of the model.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
JUDGE_ADAPTER = "judge-nano"
"""Where `atlas judge train` puts an adapter by default: below ATLAS_HOME/judges, apart from those of policies."""


@app.command()
def calibrate(
    model: Model = None,
    adapter: Adapter = None,
    form: Annotated[FormName, typer.Option(help="One criterion a call, the paper's twelve in one, or without a rubric.")] = (
        "criterion"
    ),
    episodes: Annotated[
        str | None, typer.Option(metavar="FILTER", help="Logged episodes whose outcome is known, instead of worlds.")
    ] = None,
    worlds: Annotated[int, typer.Option(min=0, help="Episodes made from held-out worlds, whose truth is known.")] = 160,
    seed: Annotated[int, typer.Option(help="Of the worlds.")] = 0,
    as_json: Json = False,
) -> int:
    """Measure how far a judge agrees with the truth, and whether it can be flattered; training trusts it accordingly."""
    from ..training.judges.calibration import CalibrationStore, calibrate, judge_of_policy

    home = atlas_home()
    progress = Progress()
    examples = _examples(home, episodes, worlds, seed, progress)
    spec, path = _chosen(home, model, adapter)

    async def measure() -> Calibration:
        policy = await _loaded(spec, path)
        try:
            judge = judge_of_policy(policy, home, form=form, cache=False)
            return await calibrate(judge, examples, progress=progress)
        finally:
            await policy.aclose()

    try:
        found = run_async(measure())
    finally:
        progress.close()
    CalibrationStore(home).put(found)
    if as_json:
        print_json(found.to_json())
    else:
        for line in _report(found, on_worlds=episodes is None):
            print(safe(line))
    return DONE if found.trusted else UNSOLVED


@app.command()
def train(
    model: Model = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the adapter goes.")] = None,
    episodes: Annotated[int, typer.Option(min=8, help="Episodes to learn from, made from practice worlds.")] = 1_000,
    epochs: Annotated[int, typer.Option(min=1, help="How often each is read.")] = 1,
    learning_rate: Annotated[float, typer.Option(help="Of the adapter.")] = 2e-3,
    rank: Annotated[int, typer.Option(min=1, help="Of the adapter.")] = 16,
    seed: Annotated[int, typer.Option(help="Of worlds and weights.")] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    as_json: Json = False,
) -> int:
    """Train the small judge: an adapter on the same base as the policy, from what worlds know to be true."""
    check_training("atlas judge train")
    from ..training.judges.nano_judge import JudgeRecipe, train_judge

    home = atlas_home()
    spec = resolve(home, Path.cwd(), {"model": model, "adapter": "none"}).settings.model
    folder = out or home / "judges" / JUDGE_ADAPTER
    recipe = JudgeRecipe(episodes=episodes, epochs=epochs, learning_rate=learning_rate, rank=rank, seed=seed, device=device)
    progress = Progress()
    try:
        saved, figures = train_judge(spec, folder, recipe, progress=progress)
    finally:
        progress.close()
    result: dict[str, Any] = {"adapter": str(saved), **figures}
    if as_json:
        print_json(result)
    else:
        print(safe(f"{saved}: loss {figures['first_loss']} to {figures['last_loss']} over {figures['steps']} steps"))
        note("measure it with `atlas judge calibrate`")
    return DONE


@app.command("episodes")
def judge_episodes(
    model: Model = None,
    adapter: Adapter = None,
    form: Annotated[FormName, typer.Option(help="As it was calibrated.")] = "criterion",
    episodes: Annotated[str | None, typer.Option(metavar="FILTER", help="Which of those that nobody rated.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Also those that this judge has judged before.")] = False,
    as_json: Json = False,
) -> int:
    """Judge logged episodes whose outcome is unknown; only a judge that `calibrate` found to agree may do it."""
    from ..runtime.episodes import open_store
    from ..training.judges.calibration import CalibrationStore, judge_of_policy
    from ..training.judges.verdicts import Judged
    from ..training.judges.verdicts import judge_episodes as judge_all
    from ..training.rubrics import RubricStore

    home = atlas_home()
    spec, path = _chosen(home, model, adapter)
    progress = Progress()

    async def work() -> Judged:
        policy = await _loaded(spec, path)
        try:
            judge = judge_of_policy(policy, home, form=form)
            calibration = CalibrationStore(home).require(judge)
            with open_store(home) as store:
                return await judge_all(
                    store, judge, calibration, RubricStore(home), episodes, again=again,
                    progress=lambda done, total: progress("episodes", done, total),
                )  # fmt: skip
        finally:
            await policy.aclose()

    try:
        found = run_async(work())
    finally:
        progress.close()
    if as_json:
        print_json({"solved": found.solved, "failed": found.failed, "missing": found.missing})
    else:
        print(f"{found.solved} solved, {found.failed} failed, {found.missing} without a verdict")
    return DONE


@app.command("list")
def list_judges(as_json: Json = False) -> int:
    """List the judges that were calibrated."""
    from ..training.judges.calibration import CalibrationStore

    store = CalibrationStore(atlas_home())
    names = sorted(path.stem for path in store.folder.glob("*.json")) if store.folder.is_dir() else []
    for name in names:
        found = store.get(name)
        if found is None:
            continue
        if as_json:
            print_json(found.to_json())
        else:
            adapter = f" with {found.adapter}" if found.adapter else ""
            state = "trusted" if found.trusted else "not trusted"
            print(safe(f"{found.judge}  {_kappa(found.overall.kappa):>6}  {state:11}  {found.form}  {found.model}{adapter}"))
    if not names and not as_json:
        note("no judge was calibrated yet; `atlas judge calibrate` does it")
    return DONE


def _examples(home: Path, episodes: str | None, worlds: int, seed: int, progress: Progress) -> list[Example]:
    from ..runtime.episodes import open_store
    from ..training.judges.examples import logged_examples, world_examples
    from ..training.rubrics import RubricStore

    if episodes is not None:
        with open_store(home) as store:
            found = logged_examples(store, RubricStore(home), episodes)
        note(f"{len(found)} logged episodes with a known outcome")
        return found
    if worlds == 0:
        raise UsageError("there is nothing to calibrate on", where="--worlds", mend="give a number, or --episodes FILTER")
    made: list[Example] = []
    for example in world_examples(worlds, split="heldout", seed=seed):
        made.append(example)
        progress("worlds", len(made), worlds)
    return made


def _chosen(home: Path, model: str | None, adapter: str | None) -> tuple[str, str | None]:
    """The judge's model and adapter; for nano without a word, the adapter that `atlas judge train` made."""
    spec = resolve(home, Path.cwd(), {"model": model, "adapter": "none"}).settings.model
    if adapter == "none":
        return spec, None
    own = home / "judges" / JUDGE_ADAPTER / "adapter.gguf"
    if adapter is None and spec == "nano" and own.exists():
        return spec, str(own)
    return spec, adapter


async def _loaded(spec: str, adapter: str | None) -> Policy:
    import asyncio

    from ..runtime.policies import load_policy

    return await asyncio.to_thread(load_policy, spec, adapter=adapter)


def _report(found: Calibration, *, on_worlds: bool) -> list[str]:
    adapter = f" with {found.adapter}" if found.adapter else ""
    lines = [f"judge {found.judge}: {found.model}{adapter}, form {found.form}"]
    for name, one in {"all": found.overall, **found.categories}.items():
        if not one.count:
            lines.append(f"  {name:11} no verdicts" + (f", {one.missing} failed" if one.missing else ""))
            continue
        interval = f" ({one.interval[0]:.2f} to {one.interval[1]:.2f})" if one.interval else ""
        failed = f", {one.missing} failed" if one.missing else ""
        lines.append(f"  {name:11} kappa {_kappa(one.kappa)}{interval}, {one.accuracy:.1%} right of {one.count}{failed}")
    if found.flipped is not None:
        lines.append(f"  flattery turns {found.flipped:.1%} of rightful noes into a yes")
        lines += [f"    {name}: {one['flips']:.0f} of {one['tries']:.0f}" for name, one in found.flattery.items()]
    if found.milliseconds:
        times = found.milliseconds
        lines.append(
            f"  {times['shared']:.1f} ms a criterion with the transcript shared, {times['alone']:.1f} ms without: "
            f"{times['gain']:.1f} times as fast"
        )
    trusted = (
        "may be trained on" if found.trusted else "may not be trained on: kappa 0.6 over all and on fulfilment is needed"
    )
    lines.append(f"  its judged outcomes {trusted}")
    if on_worlds:
        lines.append(
            "  measured on runs made by spoiling the references of worlds; real runs can be harder to judge:\n"
            '  measure on those whose outcome is known with --episodes FILTER ("" for all)'
        )
    return lines


def _kappa(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"
