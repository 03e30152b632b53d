"""What ``ecsviz.lessons`` is: exercises that say what is off, and a way to write more."""

from __future__ import annotations

from ecsviz.widgets.lesson.making import (
    Exercise,
    Verdict,
    check,
    exercise,
    exercises,
    hint,
    material,
    solution,
    task,
)
from ecsviz.widgets.lesson.order import OrderWidget, arrange
from ecsviz.widgets.lesson.shipped import OURS

__all__ = [
    "OURS",
    "Exercise",
    "OrderWidget",
    "Verdict",
    "arrange",
    "check",
    "exercise",
    "exercises",
    "hint",
    "material",
    "solution",
    "task",
]
