"""What every test gets: a state folder of its own, and no setting of the person who runs the tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("atlas", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("atlas")  # a busy machine is no failure, and a failure comes again; `make fuzz` is what explores

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background: children would ignore it as well
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def atlas_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A fresh ATLAS_HOME, so that no test reads or writes the user's own episodes, servers or options."""
    home = tmp_path_factory.mktemp("atlas-home")
    home.chmod(0o700)
    monkeypatch.setenv("ATLAS_HOME", str(home))
    for name in [name for name in os.environ if name.startswith("ATLAS_") and name != "ATLAS_HOME"]:
        monkeypatch.delenv(name)
    yield str(home)
