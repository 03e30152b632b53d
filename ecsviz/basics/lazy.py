"""Names that are loaded when they are asked for: of packages, and of modules that have moved."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any


def lazy(
    package: str, rooms: Mapping[str, str], modules: Mapping[str, str] | None = None
) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package (PEP 562).

    Parameters
    ----------
    package
        Its ``__name__``.
    rooms
        By name the module it is in.
    modules
        By name the module for which it stands.

    Examples
    --------
    >>> get = lazy("ecsviz", {"sample": "ecsviz.samples"}, {"samples": "ecsviz.samples"})
    >>> get("sample").__name__, get("samples").__name__
    ('sample', 'ecsviz.samples')
    >>> get("simple")
    Traceback (most recent call last):
    AttributeError: module 'ecsviz' has no attribute 'simple'
    """

    def get(name: str) -> Any:
        if modules and name in modules:
            value: Any = importlib.import_module(modules[name])
        elif name in rooms:
            value = getattr(importlib.import_module(rooms[name]), name)
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(sys.modules[package], name, value)
        return value

    return get


def stand_in(old: str, new: str) -> None:
    r"""Let a module be found by the name that it had before: pickles name modules.

    Parameters
    ----------
    old, new
        Its full names, before and now; it is loaded when something of it is asked for.

    Examples
    --------
    >>> import pickle, ecsviz
    >>> pickle.loads(b"cecsviz.cycles\nCycle\n.")
    <class 'ecsviz.graph.cycles.Cycle'>
    """
    module = ModuleType(old, f"Stands in for ``{new}``.")
    module.__dict__["__getattr__"] = lambda name: getattr(importlib.import_module(new), name)
    sys.modules.setdefault(old, module)
