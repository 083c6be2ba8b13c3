"""The errors of routing.

RoutingError                      (derives from runtime.errors.AtlasRuntimeError)
├── PoolError                     a `[models.<name>]` table is wrong
├── NoRouter                      a router that does not exist yet, or whose package is not installed
├── OutcomesError                 recorded outcomes, or stored statistics, cannot be read
└── (SpendingError)               derives from BudgetError: the next reply could cost more than is left
"""

from __future__ import annotations

from ..errors import AtlasRuntimeError, BudgetError


class RoutingError(AtlasRuntimeError):
    """Routing failed."""


class PoolError(RoutingError):
    """A table of the pool is wrong."""


class NoRouter(RoutingError):
    """The router that was asked for cannot be used here."""


class OutcomesError(RoutingError):
    """Outcomes or statistics in a file cannot be used."""


class SpendingError(BudgetError):
    """The next reply could cost more than the spending limit leaves; the run ends before it is asked for."""
