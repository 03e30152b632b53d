"""What a part of the campaign has tried, and what it has found."""

from __future__ import annotations

from dataclasses import dataclass, field

FOUND = ("lost", "partial", "silent", "hung")


@dataclass
class Tally:
    """How often something was tried, and a line for each time that it went wrong.

    Attributes
    ----------
    lost
        What was acknowledged is not there.
    partial
        What is there is neither what was nor what was to be, or an error is not one of ours.
    silent
        It went wrong, and nobody was told.
    hung
        It did not end.
    """

    tried: int = 0
    lost: list[str] = field(default_factory=list)
    partial: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    hung: list[str] = field(default_factory=list)

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.tried + other.tried,
            *(getattr(self, name) + getattr(other, name) for name in FOUND),
        )

    @property
    def found(self) -> list[str]:
        """Every line, with its kind before it."""
        return [f"{name}: {line}" for name in FOUND for line in getattr(self, name)]
