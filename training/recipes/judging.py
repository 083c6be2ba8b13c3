"""The judge of a run: which one was named, and whether it may be trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..judges.calibration import CalibrationStore, judge_of_policy

if TYPE_CHECKING:
    from ..judges.judge import Form, Judge
    from .options import TrainOptions


def trusted_judges(home: Path) -> tuple[str, ...]:
    """Fingerprints of the judges whose outcomes may be trained on."""
    return tuple(sorted(CalibrationStore(home).trusted()))


def open_judge(options: TrainOptions, home: Path) -> Judge | None:
    """The judge that was named, in the form that the reward asks for. Raises `JudgeError` where it was not calibrated.

    The reward of the paper and the generic one are the judge's alone; they are for comparison and take it as it is.
    """
    if options.judge is None:
        return None
    from ...runtime.policies import load_policy

    forms: dict[str, Form] = {"paper": "paper", "generic": "generic"}
    policy = load_policy(options.judge, adapter=options.judge_adapter)
    judge = judge_of_policy(policy, home, form=forms.get(options.reward, "criterion"))
    if options.reward == "rubric":
        CalibrationStore(home).require(judge)
    return judge
