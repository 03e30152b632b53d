"""Labels: names in one line or two, and the part in which names that begin alike differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from ecsviz.domain.labels import BREAKS, DEFAULT_LIMIT, in_lines, text_width, widest
from ecsviz.draw.text import Writer

LINES: Final = 2
LENGTH: Final = LINES * widest(DEFAULT_LIMIT)
"""How long a name may be, in columns: two lines, a little wider than the longest name in one."""
READ: Final = 240
"""As much is read of a name, so that it is seen where it differs from others."""
ALIKE: Final = 3
SHARED: Final = 12
"""So many names that begin with so many columns alike are told by where they differ."""


@dataclass(frozen=True, slots=True)
class Label:
    """What stands in or beside a node.

    Attributes
    ----------
    name
        The lines of its name, in characters that can be drawn.
    figures
        The lines that say how many it stands for.
    """

    name: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """All lines."""
        return self.name + self.figures


def labels_of(texts: Sequence[str], columns: int, length: int, writer: Writer) -> list[Label]:
    r"""Return labels of nodes.

    Parameters
    ----------
    texts
        Their names; after a line end, how many a node stands for, which is never cut.
    columns
        How wide a line may be.
    length
        How long a name may be.
    writer
        Tells what can be drawn.

    Examples
    --------
    >>> texts = ["A name that is longer than a line\n3 nodes", "short"]
    >>> for label in labels_of(texts, 24, 48, Writer()):
    ...     print(label.lines)
    ('A name that is', 'longer than a line', '3 nodes')
    ('short',)
    """
    names, rest = [], []
    for text in texts:
        name, *figures = text.split("\n")
        names.append(name)
        rest.append(tuple(writer.clean(line, 32) for line in figures))
    names = differing(names, length)
    return [
        Label(in_lines(writer.clean(name, length), columns) if name else (), figures)
        for name, figures in zip(names, rest, strict=True)
    ]


def differing(names: Sequence[str], length: int) -> list[str]:
    """Return names, those that are too long and begin like others without that beginning.

    Notes
    -----
    Sorted, names that begin alike stand together. O(names log names).

    Examples
    --------
    >>> names = [f"On the theory of {what}" for what in ("rings", "fields", "groups")]
    >>> differing(names, 16), differing(names, 48) == names
    (['…rings', '…fields', '…groups'], True)
    """
    long = sorted({name for name in names if text_width(name) > length})
    if len(long) < ALIKE:
        return list(names)
    shared = [_shared(*pair) for pair in pairwise(long)]
    cut: dict[str, int] = {}
    for k, name in enumerate(long):
        # What it shares with two others, at the end of a word.
        near = [min(shared[a:b]) for a, b in ((k - 2, k), (k - 1, k + 1), (k, k + 2))
                if a >= 0 and b <= len(shared)]  # fmt: skip
        beginning = name[: max(near, default=0)]
        ends = [found.start() for found in BREAKS.finditer(beginning)]
        cut[name] = ends[-1] if ends and ends[-1] >= SHARED else 0
    return ["…" + name[cut[name] :] if cut.get(name) else name for name in names]


def _shared(one: str, other: str) -> int:
    """Return how many characters two texts begin with alike."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count
