"""Packages that are not needed by all: asked for at first use, and missed with a clear word."""

from __future__ import annotations

import importlib
from types import ModuleType

from ecsviz.errors import EcsvizError


class NotInstalledError(EcsvizError, ImportError):
    """Something needs a package that is not installed."""


def need(module: str, *, extra: str, what: str) -> ModuleType:
    """Import a package of one of the extras.

    Parameters
    ----------
    module
        What to import.
    extra
        The extra of ecsviz that brings it.
    what
        What needs it, as the beginning of a sentence.

    Raises
    ------
    NotInstalledError
        If it is not installed.

    Examples
    --------
    >>> need("json", extra="test", what="This example").__name__
    'json'
    >>> need("no_such_module", extra="parquet", what="Parquet")
    Traceback (most recent call last):
    ...
    ecsviz.basics.optional.NotInstalledError: Parquet needs no_such_module, which is not ...
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as err:
        raise NotInstalledError(
            f"{what} needs {module.partition('.')[0]}, which is not installed."
            f" pip install 'ecsviz[{extra}]' brings it.",
            module=module,
            extra=extra,
        ) from err
