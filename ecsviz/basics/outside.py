"""Where the line stands that called the package: for warnings, which point to it."""

from __future__ import annotations

import sys


def outside() -> int:
    """Return the ``stacklevel``, of a warning, of the line that called the package."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith("ecsviz."):
        level, frame = level + 1, frame.f_back
    return level
