"""Fixtures of the tests that run in a browser.

Skipped where there is no Chromium or no Playwright (see `tests.conftest.missing`). Pictures of the
page are kept in the folder that ECSVIZ_SCREENSHOTS names, `tests/browser/screenshots` by default.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.browser.lab import Lab, Notebook, opened, running_lab


@pytest.fixture(scope="session")
def lab(
    tmp_path_factory: pytest.TempPathFactory, require_optional: Callable[[str], ModuleType]
) -> Iterator[Lab]:
    require_optional("jupyterlab")
    with running_lab(tmp_path_factory.mktemp("lab") / "lab") as started:
        yield started


@pytest.fixture(scope="session")
def session_notebook(chromium: Any, lab: Lab) -> Iterator[Notebook]:
    shots = Path(os.environ.get("ECSVIZ_SCREENSHOTS") or Path(__file__).parent / "screenshots")
    with opened(chromium, lab, shots) as notebook:
        yield notebook


@pytest.fixture
def notebook(session_notebook: Notebook) -> Iterator[Notebook]:
    """A browser with JupyterLab; what the page asked of others, or threw, fails the test."""
    session_notebook.outside.clear()
    session_notebook.faults.clear()
    yield session_notebook
    session_notebook.theme("Light")
    session_notebook.close()
    assert session_notebook.outside == [], "a request left this machine"
    assert session_notebook.faults == [], "something was thrown, or a script of data ran"
