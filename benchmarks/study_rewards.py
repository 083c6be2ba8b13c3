"""Study 2 (docs/studies/rewards.md): what to reward, on the same rollouts and steps. Says first how long it will take.

    .venv/bin/python benchmarks/study_rewards.py --estimate
    .venv/bin/python benchmarks/study_rewards.py --judge nano --judge-adapter ATLAS_HOME/judges/judge-nano

Reinforcement from the log alone (`--offline`), so that every arm learns from the very same rollouts: the outcome, a generic
judge, the rubric form of ATLAS (arXiv 2603.06713), our rubric with the judge, our rubric with what programs can tell.
"""

from __future__ import annotations

import argparse
import sys

from study import Arm, Study, arguments, scale_of

TEXT = """
Made by `benchmarks/study_rewards.py`. Groups of rollouts of the same task are scored by each arm's reward, and one offline
reinforcement with equal steps follows: `outcome` (solved or not), `generic` (a judge's overall mark), `paper` (the rubric
form of ATLAS, 2603.06713, scored by the judge), `rubric_judge` (our rubric, scored by the judge where no program can) and
`rubric_truth` (our rubric, its checks by programs). The judge is {judge}.
"""


def main() -> None:
    """The whole study."""
    extra = argparse.ArgumentParser(add_help=False)
    extra.add_argument("--judge", default="nano")
    extra.add_argument("--judge-adapter")
    judged, sys.argv[1:] = extra.parse_known_args()
    given = arguments(__doc__ or "", folder="runs/study-rewards", tasks=60, attempts=8, steps=30, trial=200)
    scale = scale_of(given)
    judge = ("--judge", judged.judge, *(("--judge-adapter", judged.judge_adapter) if judged.judge_adapter else ()))
    rewards = {
        "outcome": ("--reward", "outcome"),
        "generic": ("--reward", "generic", *judge),
        "paper": ("--reward", "paper", *judge),
        "rubric_judge": ("--reward", "rubric", *judge),
        "rubric_truth": ("--reward", "rubric"),
    }
    arms = [Arm(name, ("--recipe", "rubric", "--offline", *how)) for name, how in rewards.items()]
    study = Study(given.folder, scale, arms, ("heldout",), given.model)
    study.estimate()
    if given.estimate:
        sys.exit()
    study.run()
    study.write(given.out, "rewards", "Study 2: what to reward", TEXT.format(judge=" ".join(judge[1:])))


if __name__ == "__main__":
    main()
