"""The errors of training.

    TrainingError                     anything training can explain; has `.where` and `.mend`
    ├── BaseModelError                the base model cannot be read, or is of a family that cannot be trained
    ├── AdapterError                  an adapter cannot be saved, exported, loaded, or is for another model
    │   └── ParityError               trainer and llama.cpp disagree, so the export is refused
    ├── RowError                      token rows cannot be made or read
    │   ├── NotTrainable              an episode holds no rows to learn from; has `.reason`
    │   └── CorruptRow                a row contradicts itself; the message names it
    ├── LearnError                    the trainer cannot go on
    │   ├── SettingsError             learning settings that contradict each other
    │   ├── NothingToLearn            no token of the rows carries weight
    │   ├── NotFinite                 the loss or a gradient is not a number
    │   ├── Disagreement              the trainer's policy scores logged tokens otherwise than the one that wrote them
    │   └── CheckpointError           a checkpoint cannot be written or read
    ├── TooFewOutcomes                too few episodes whose outcome is known well enough
    ├── RubricError                   a rubric is malformed, contradicts itself or weighs nothing
    ├── JudgeError                    a judge cannot be used: not calibrated, or it does not answer
    ├── SelectorError                 critical steps cannot be selected
    ├── PracticeError                 no safe place to practise, or the rollouts failed
    └── RecipeError                   a recipe cannot be run as asked

Catch `TrainingError` around any part of training to report it. Nothing half-written is left where an adapter, a checkpoint
or a dataset is expected when one of them is raised.
"""

from __future__ import annotations


class TrainingError(Exception):
    """Something went wrong at `where`; `mend` says what to do next."""

    def __init__(self, message: str, *, where: str = "", mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.mend = mend


class BaseModelError(TrainingError):
    """The base model cannot be read, or is of a family that cannot be trained."""


class AdapterError(TrainingError):
    """An adapter cannot be saved, exported or loaded, or is for another model."""


class ParityError(AdapterError):
    """Trainer and llama.cpp score the same tokens differently, so the adapter is not exported."""


class RowError(TrainingError):
    """Token rows cannot be made or read."""


class NotTrainable(RowError):
    """An episode holds no rows to learn from; `reason` is short and the same for all episodes that share it."""

    def __init__(self, reason: str, *, where: str = "", mend: str = "") -> None:
        super().__init__(f"this episode cannot be trained on: {reason}", where=where, mend=mend)
        self.reason = reason


class CorruptRow(RowError):
    """A row contradicts itself or lost a part; the message names it."""


class LearnError(TrainingError):
    """The trainer cannot go on."""


class SettingsError(LearnError):
    """Learning settings are out of range or contradict each other."""


class NothingToLearn(LearnError):
    """No token of the rows carries weight."""


class NotFinite(LearnError):
    """The loss or a gradient is not a finite number; the weights are those before the step."""


class Disagreement(LearnError):
    """The trainer's copy of the policy scores logged tokens otherwise than the policy that wrote them."""


class CheckpointError(LearnError):
    """A checkpoint cannot be written or read; the last whole one is untouched."""


class TooFewOutcomes(TrainingError):
    """Too few episodes whose outcome is known well enough to learn from."""


class RubricError(TrainingError):
    """A rubric is malformed, contradicts itself or weighs nothing."""


class JudgeError(TrainingError):
    """A judge cannot be used: not calibrated, or it does not answer."""


class SelectorError(TrainingError):
    """The critical steps of an episode cannot be selected."""


class PracticeError(TrainingError):
    """There is no safe place to practise, or the rollouts failed."""


class RecipeError(TrainingError):
    """A recipe cannot be run as asked."""
