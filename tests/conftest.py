"""What all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def state_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test leaves anything in the user's state folder, nor finds anything there."""
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("BTFEEDS_STATE", str(folder))
    return folder


@pytest.fixture(autouse=True)
def budgets_of_its_own() -> None:
    """Ports are used again: a server must not inherit how another test has fared at its port."""
    from btfeeds.history import budget
    from btfeeds.live import hub

    hub._budgets.clear()
    budget.forget()
