"""Study 1 (docs/studies/steps.md): which steps of an episode to learn from. Says first how long it will take.

    .venv/bin/python benchmarks/study_steps.py --estimate
    .venv/bin/python benchmarks/study_steps.py

All steps, and 30 % of them: by chance, by a model that labels them (ATLaS, arXiv 2503.02197; `--labeller` names it), by
counterfactual forks, and by the data flow.
"""

from __future__ import annotations

import argparse
import sys

from study import Arm, Study, arguments, scale_of

TEXT = """
Made by `benchmarks/study_steps.py`. Every arm keeps the whole trajectory as context and puts loss on its steps only: `all`
of them, 30 % by `random`, 30 % that a `model` labels as critical by the paper's four criteria (ATLaS, 2503.02197; the
labeller is {labeller}), 30 % by `counterfactual` forks, and 30 % by the `data_flow` of the journal, which plays nothing.
All but `counterfactual` learn from solved episodes; that one learns from failed ones, too, where a fork mended them.
"""
FORKS_AN_EPISODE = 6
"""About: three continuations at the boundaries of two to three turns."""


def main() -> None:
    """The whole study."""
    extra = argparse.ArgumentParser(add_help=False)
    extra.add_argument("--labeller", default="nano", metavar="SPEC")
    chosen, sys.argv[1:] = extra.parse_known_args()
    given = arguments(__doc__ or "", folder="runs/study-steps", tasks=120, attempts=1, steps=30, trial=200)
    scale = scale_of(given)
    arms = [
        Arm("all", ("--selector", "all")),
        Arm("random", ("--selector", "random")),
        Arm("model", ("--selector", "model", "--selector-model", chosen.labeller)),
        Arm("counterfactual", ("--selector", "counterfactual"), FORKS_AN_EPISODE * scale.episodes),
        Arm("data_flow", ("--selector", "data_flow")),
    ]
    study = Study(given.folder, scale, arms, ("practice", "heldout"), given.model)
    study.estimate()
    if given.estimate:
        sys.exit()
    study.run()
    study.write(given.out, "steps", "Study 1: which steps to learn from", TEXT.format(labeller=chosen.labeller))


if __name__ == "__main__":
    main()
