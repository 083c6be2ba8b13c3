"""Selectors: which steps of an episode carry loss (ATLaS, arXiv 2503.02197). A step is a turn."""

from .asked import AskedSelector
from .choosing import KINDS, SelectorKind, select
from .counterfactual import Counterfactual
from .data_flow import data_flow
from .selected import Category, Label, Selected, cap, trainable_turns
from .simple import all_turns, random_turns

__all__ = [
    "KINDS",
    "AskedSelector",
    "Category",
    "Counterfactual",
    "Label",
    "Selected",
    "SelectorKind",
    "all_turns",
    "cap",
    "data_flow",
    "random_turns",
    "select",
    "trainable_turns",
]
