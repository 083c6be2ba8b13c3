"""Practice: rollouts by the runtime itself, in places where nothing live can be touched."""

from .ledger import Ledger
from .places import Place, Scene
from .rollouts import Rollout, practise
from .tasks import PracticeTask, practice_task, suite_practice

__all__ = ["Ledger", "Place", "PracticeTask", "Rollout", "Scene", "practice_task", "practise", "suite_practice"]
