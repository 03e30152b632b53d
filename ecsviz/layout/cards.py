"""Cards in columns side by side, and lines from a row of one to a row of another.

For schemas: a table is a card, its columns are the rows, and a line joins the column that refers
with the one that is referred to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ecsviz.basics.order import Ints
from ecsviz.layout.grid import Floats

BESIDE: Final = 0.7
"""The room between columns of cards: ends of lines stand in it, and lines cross it."""
WIDEST: Final = 1.7
"""As much of it is used where the page is wider."""
USUAL: Final = 0.25
"""So much more is used where there is room."""
BELOW: Final = 0.2
"""The room between cards of a column."""
LOOSEST: Final = 0.8
STRAIGHT: Final = 0.24
"""So far lines leave a card at a right angle."""
APART: Final = 0.045
"""How far apart lines end in one row, and pass through one gap."""
SAME: Final = 1.6
"""What a line between cards of one column costs, in inches of its height."""
PAST: Final = 2.2
"""What it costs to pass a column of cards."""
TRIALS: Final = 12_000
FEW: Final = 40
"""So many places are tried in all; of more cards than so many, fewer, since each takes longer."""
_STEPS: Final = 14

_T: Final = np.linspace(0, 1, _STEPS)[1:, None]


@dataclass(frozen=True, slots=True, eq=False)
class CardEnds:
    """Between which rows lines run.

    Attributes
    ----------
    sources, targets
        The cards, shape (lines,).
    source_at, target_at
        How far below the top of its card each end stands, shape (lines,).
    """

    sources: Ints
    targets: Ints
    source_at: Floats
    target_at: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Cards:
    """Where cards and lines are.

    Attributes
    ----------
    left, top
        Of every card, shape (cards,); y upwards, in inches at natural size.
    column
        In which column it stands, from the left.
    lines
        Per line its points, from the border of its source to that of its target.
    bounds
        Left, bottom, right and top of everything.
    """

    left: Floats
    top: Floats
    column: Ints
    lines: list[Floats]
    bounds: tuple[float, float, float, float]


def lay_cards(
    sizes: Floats, ends: CardEnds, rank: Ints, page: tuple[float, float], *, fill: bool = False
) -> Cards:
    """Place cards in columns so that their lines are short, and as all of them fit on a page.

    Parameters
    ----------
    sizes
        Width and height of every card, shape (cards, 2).
    ends
        The lines.
    rank
        Shape (cards,): cards of a low rank begin further left.
    page
        Width and height, in inches.
    fill
        Whether the room that is left on the page is used between the cards.

    Notes
    -----
    Several numbers of columns are tried with which the cards may fit; in each, cards are moved as
    long as that shortens the lines, in `TRIALS` trials in all. O(cards + lines) a trial.
    """
    count = len(sizes)
    if not count:
        nothing = np.zeros(0)
        return Cards(nothing, nothing, np.zeros(0, np.int64), [], (0.0, 0.0, 0.0, 0.0))
    page = _inner(page)
    tried = [_Columns(sizes, ends, rank, number, page) for number in _numbers(sizes, page)]
    fits = count <= FEW or _range(sizes, page)[0] <= _range(sizes, page)[1]
    for columns in tried if fits else ():  # where few are going to be shown, nothing is improved
        columns.improve(TRIALS * FEW // max(count, FEW) // len(tried))
    return min(tried, key=_Columns.price).placed(fill)


def may_fit(sizes: Floats, page: tuple[float, float]) -> bool:
    """Tell whether cards may fit on a page, before they are laid out.

    Examples
    --------
    >>> may_fit(np.full((10, 2), 1.0), (4.0, 8.0)), may_fit(np.full((99, 2), 1.0), (4.0, 8.0))
    (True, False)
    """
    least, most = _range(sizes, _inner(page))
    return least <= most


def _inner(page: tuple[float, float]) -> tuple[float, float]:
    """Return what cards have of a page: lines run around them as well."""
    return max(page[0] - BESIDE / 2, 0.5), max(page[1] - 2 * BELOW, 0.5)


def _range(sizes: Floats, page: tuple[float, float]) -> tuple[int, int]:
    """Return how many columns all cards need at the least, and how many there is room for."""
    wide = float(np.median(sizes[:, 0])) + BESIDE if len(sizes) else BESIDE
    return int(np.ceil((sizes[:, 1] + BELOW).sum() / page[1])), int((page[0] + BESIDE) / wide)


def _numbers(sizes: Floats, page: tuple[float, float]) -> list[int]:
    """Return the numbers of columns to try: with which all may fit, else such as the page is."""
    count = len(sizes)
    least, most = _range(sizes, page)
    if least > most:
        least = int(np.sqrt(least * (most + 1)))
        most = least + 1
    low, high = min(max(least, 1), count), min(max(most, 1), count)
    return sorted({low, min(low + 1, high), min(low + 2, high), (low + high) // 2, high})


class _Columns:
    """Cards in a number of columns, and how dear their lines are."""

    def __init__(
        self, sizes: Floats, ends: CardEnds, rank: Ints, number: int, page: tuple[float, float]
    ) -> None:
        self.sizes, self.ends, self.page = sizes, ends, page
        self.heights: list[float] = sizes[:, 1].tolist()
        self.column = np.zeros(len(sizes), dtype=np.int64)
        self.top = np.zeros(len(sizes))
        self.columns: list[list[int]] = [[] for _ in range(number)]
        lines = np.bincount(np.concatenate((ends.sources, ends.targets)), minlength=len(sizes))
        self.busy = np.argsort(-lines, kind="stable").tolist()
        share = (sizes[:, 1] + BELOW).sum() / number
        filled, at = 0.0, 0
        for card in np.lexsort((-lines, rank, lines == 0)).tolist():
            if filled >= share * (at + 1) and at + 1 < number:
                at += 1
            self.columns[at].append(card)
            filled += self.heights[card] + BELOW
        for at in range(number):
            self._stack(at)

    def _stack(self, at: int) -> float:
        """Stack the cards of a column around its middle; return its height."""
        cards = self.columns[at]
        height = sum(self.heights[card] for card in cards) + BELOW * max(len(cards) - 1, 0)
        y = height / 2
        for card in cards:
            self.column[card], self.top[card] = at, y
            y -= self.heights[card] + BELOW
        return height

    def price(self) -> float:
        """Return what the lines cost, and what stands outside the page."""
        ends = self.ends
        steps = np.abs(self.column[ends.sources] - self.column[ends.targets])
        high = self.top[ends.sources] - ends.source_at - self.top[ends.targets] + ends.target_at
        lines = np.abs(high).sum() + SAME * (steps == 0).sum()
        lines += PAST * np.maximum(steps - 1, 0).sum()
        width, height = self.extent()
        scale = min(1.0, self.page[0] / width, self.page[1] / height)
        # Lines are worth nothing where nobody can read the rows.
        return float(lines + 0.05 * width * height + 1e3 * (1 - scale))

    def extent(self) -> tuple[float, float]:
        """Return width and height of everything."""
        used = [cards for cards in self.columns if cards]
        widths = [max(float(self.sizes[card, 0]) for card in cards) for cards in used]
        width = sum(widths) + BESIDE * (len(used) - 1)
        heights = [
            sum(self.heights[card] for card in cards) + BELOW * (len(cards) - 1) for cards in used
        ]
        return width, max(heights)

    def improve(self, trials: int) -> None:
        """Move one card at a time to where the lines are cheapest, as long as that helps."""
        best = self.price()
        moved = True
        while moved and trials > 0:
            moved = False
            for card in self.busy:
                if trials <= 0:
                    return
                found, trials = self._better(card, best, trials)
                if found < best - 1e-9:
                    best, moved = found, True

    def _better(self, card: int, best: float, trials: int) -> tuple[float, int]:
        """Move a card to the best of all places."""
        home = int(self.column[card])
        index = self.columns[home].index(card)
        self.columns[home].pop(index)
        self._stack(home)
        place = home, index
        for at, cards in enumerate(self.columns):
            for position in range(len(cards) + 1):
                cards.insert(position, card)
                self._stack(at)
                price = self.price()
                trials -= 1
                if price < best - 1e-9:
                    best, place = price, (at, position)
                cards.pop(position)
            self._stack(at)
        self.columns[place[0]].insert(place[1], card)
        self._stack(place[0])
        return best, trials

    # -- the end -----------------------------------------------------------------------------

    def placed(self, fill: bool) -> Cards:
        """Return where everything is."""
        self.columns = [cards for cards in self.columns if cards]
        for at in range(len(self.columns)):
            self._stack(at)
        width, height = self.extent()
        gaps = max(len(self.columns) - 1, 1)
        spare = max(self.page[0] - width, 0.0) / gaps
        beside = BESIDE + min(spare, WIDEST - BESIDE if fill else USUAL)
        high = max(height, self.page[1]) if fill else height
        left = np.zeros(len(self.sizes))
        edges: list[tuple[float, float]] = []
        x = 0.0
        for cards in self.columns:
            wide = max(float(self.sizes[card, 0]) for card in cards)
            for card in cards:
                left[card] = x + (wide - self.sizes[card, 0]) / 2
            edges.append((x, x + wide))
            x += wide + beside
            self._spread(cards, high)
        lines = _CardLines(self, left, edges, beside).all()
        every = [np.column_stack((left, self.top)), *lines]
        low = np.column_stack((left + self.sizes[:, 0], self.top - self.sizes[:, 1]))
        points = np.concatenate([*every, low])
        (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        return Cards(left, self.top, self.column, lines, (x0, y0, x1, y1))

    def _spread(self, cards: list[int], high: float) -> None:
        """Let the cards of a column stand apart as far as there is room."""
        own = sum(self.heights[card] for card in cards)
        gap = min((high - own) / max(len(cards) - 1, 1), LOOSEST)
        y = (own + gap * (len(cards) - 1)) / 2
        for card in cards:
            self.top[card] = y
            y -= self.heights[card] + gap


class _CardLines:
    """The courses of lines, past the cards between."""

    def __init__(
        self, of: _Columns, left: Floats, edges: list[tuple[float, float]], beside: float
    ) -> None:
        self.of, self.left, self.edges, self.beside = of, left, edges, beside
        self.passed: dict[tuple[int, int], int] = {}
        self.inner: dict[int, int] = {}
        self.gaps = [self._gaps(cards) for cards in of.columns]

    def _gaps(self, cards: Sequence[int]) -> list[float]:
        """Return where lines can pass a column: above it, between its cards, and below."""
        of = self.of
        tops = [float(of.top[card]) for card in cards]
        feet = [float(of.top[card]) - of.heights[card] for card in cards]
        between = [(foot + top) / 2 for foot, top in zip(feet, tops[1:], strict=False)]
        return [tops[0] + BELOW / 2, *between, feet[-1] - BELOW / 2]

    def all(self) -> list[Floats]:
        """Return the points of every line."""
        of, ends = self.of, self.of.ends
        one, other = of.column[ends.sources], of.column[ends.targets]
        last = len(of.columns) - 1
        # Within a column lines run on its right; on the last one's left, where others are.
        inner = np.where((one == last) & (last > 0), -1, 1)
        side = np.where(one == other, inner, np.sign(other - one))
        back = np.where(one == other, inner, -side)
        start = self._ends(ends.sources, ends.source_at, side, ends.targets)
        end = self._ends(ends.targets, ends.target_at, back, ends.sources)
        return [
            self._line(start[k], int(side[k]), int(one[k]), end[k], int(back[k]), int(other[k]))
            for k in range(len(ends.sources))
        ]

    def _ends(self, cards: Ints, below: Floats, side: Ints, others: Ints) -> Floats:
        """Return where lines meet their cards: apart, where several meet one row."""
        of = self.of
        x = self.left[cards] + np.where(side > 0, of.sizes[cards, 0], 0.0)
        y = of.top[cards] - below
        groups: dict[tuple[int, int, float], list[int]] = {}
        for k, key in enumerate(zip(cards.tolist(), side.tolist(), below.tolist(), strict=True)):
            groups.setdefault(key, []).append(k)
        for several in groups.values():
            several.sort(key=lambda k: -float(of.top[others[k]]))
            step = min(APART, 0.12 / len(several))
            for nth, k in enumerate(several):
                y[k] -= (nth - (len(several) - 1) / 2) * step
        return np.column_stack((x, y))

    def _line(
        self, start: Floats, side: int, one: int, end: Floats, back: int, other: int
    ) -> Floats:
        a = start + np.array([STRAIGHT * side, 0.0])
        b = end + np.array([STRAIGHT * back, 0.0])
        points = [start[None, :], a[None, :]]
        if one == other:
            nth = self.inner[one] = self.inner.get(one, 0) + 1
            # A curve of this kind reaches three quarters of the way.
            most = (self.beside - STRAIGHT) / 0.75
            out = min(0.25 + 0.12 * abs(float(a[1] - b[1])) + APART * nth, most)
            points.append(_bow(a, b, side * out))
        else:
            here = a
            for at in range(one + side, other, side):
                into, leaving = self.edges[at] if side > 0 else self.edges[at][::-1]
                y = self._way(at, here, b)
                points.append(_swing(here, np.array([into, y])))
                here = np.array([leaving, y])
                points.append(here[None, :])
            points.append(_swing(here, b))
        points.append(end[None, :])
        return np.concatenate(points)

    def _way(self, at: int, here: Floats, there: Floats) -> float:
        """Return at which height a line passes a column: through the gap nearest to its course."""
        middle = sum(self.edges[at]) / 2
        share = (middle - here[0]) / ((there[0] - here[0]) or 1.0)
        y = float(here[1] + share * (there[1] - here[1]))
        gap = int(np.argmin(np.abs(np.array(self.gaps[at]) - y)))
        nth = self.passed[at, gap] = self.passed.get((at, gap), 0) + 1
        aside = nth // 2 if nth % 2 else -(nth // 2)
        return self.gaps[at][gap] + aside * APART


def _swing(a: Floats, b: Floats) -> Floats:
    """Return a curve that leaves and arrives level."""
    half = np.array([(b[0] - a[0]) / 2, 0.0])
    return _cubic(a, a + half, b - half, b)


def _bow(a: Floats, b: Floats, out: float) -> Floats:
    """Return a curve that leaves, and comes back from, one side."""
    away = np.array([out, 0.0])
    return _cubic(a, a + away, b + away, b)


def _cubic(a: Floats, b: Floats, c: Floats, d: Floats) -> Floats:
    return (1 - _T) ** 3 * a + 3 * (1 - _T) ** 2 * _T * b + 3 * (1 - _T) * _T**2 * c + _T**3 * d
