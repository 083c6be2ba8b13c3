"""Training: from logged episodes to a better policy, with the judges, rubrics and worlds that it takes."""

import os

# OpenMP threads that wait for each other by spinning take the processor from whom they wait for: beside one other busy
# process two of them were seen seven times slower than two that sleep. It must be said before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
