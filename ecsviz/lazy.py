"""Names of a package that are loaded when they are asked for."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy(package: str, rooms: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package (PEP 562).

    Parameters
    ----------
    package
        Its ``__name__``.
    rooms
        By name the module it is in; a name that ends its module's stands for the module.

    Examples
    --------
    >>> get = lazy("ecsviz", {"sample": "ecsviz.samples", "samples": "ecsviz.samples"})
    >>> get("sample").__name__, get("samples").__name__
    ('sample', 'ecsviz.samples')
    >>> get("simple")
    Traceback (most recent call last):
    AttributeError: module 'ecsviz' has no attribute 'simple'
    """

    def get(name: str) -> Any:
        if name not in rooms:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(rooms[name])
        value = module if rooms[name].endswith(f".{name}") else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    return get
