"""Notebooks for tests: source that runs in a module of its own, and pages that show widgets."""

from __future__ import annotations

import itertools
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_numbers = itertools.count()


class Cells:
    """Runs source as a notebook's kernel does: every cell in one and the same module."""

    def __init__(self, module: types.ModuleType) -> None:
        self.module = module

    def run(self, source: str) -> None:
        """Run one cell."""
        code = compile(source, f"<{self.module.__name__}>", "exec", dont_inherit=True)
        exec(code, self.module.__dict__)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)


@contextmanager
def notebook() -> Iterator[Cells]:
    """Give a fresh notebook, whose classes belong to a module that can be imported."""
    module = types.ModuleType(f"notebook_{next(_numbers)}")
    sys.modules[module.__name__] = module
    try:
        cells = Cells(module)
        cells.run("import ecsviz as ev\nfrom pydantic import Field\n")
        yield cells
    finally:
        del sys.modules[module.__name__]


class Page:
    """What the page of a widget does: it sends messages, and keeps the answers to the last."""

    def __init__(self, widget: Any) -> None:
        self.widget = widget
        self.told: list[dict[str, Any]] = []
        widget.send = lambda content, buffers=None: self.told.append(content)  # no comm in tests

    def do(self, name: str, /, **facts: Any) -> dict[str, Any]:
        self.told.clear()
        self.widget._take(self.widget, {"do": name, **facts}, [])
        return self.told[-1] if self.told else {}
