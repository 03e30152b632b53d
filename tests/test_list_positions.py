"""Positions in lists that back-references say."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ecsviz.storage.relational.save.list_positions import NOWHERE, _positions

Before = list[int | None]
before = st.lists(st.none() | st.integers(-50, 50), max_size=12)


def positions(*lists: Before) -> list[list[int]]:
    """Give the members of several lists their positions, all at once."""
    flat = [NOWHERE if n is None else n for one in lists for n in one]
    which = [number for number, one in enumerate(lists) for _ in one]
    if not flat:
        return [[] for _ in lists]
    found = _positions(np.array(flat), np.array(which)).tolist()
    return [[found.pop(0) for _ in one] for one in lists]


@given(st.lists(before, max_size=4))
def test_positions_rise(given_: list[Before]) -> None:
    for one, numbers in zip(given_, positions(*given_), strict=True):
        assert len(numbers) == len(one)
        assert NOWHERE not in numbers
        assert numbers == sorted(set(numbers))


@given(st.lists(before, min_size=2, max_size=4))
def test_a_list_does_not_depend_on_its_neighbours(given_: list[Before]) -> None:
    assert positions(*given_) == [positions(one)[0] for one in given_]


@given(
    st.lists(st.integers(-50, 50), unique=True, max_size=10).map(sorted),
    st.integers(0, 4),
    st.integers(0, 4),
)
def test_what_stays_in_order_keeps_its_position(known: list[int], first: int, last: int) -> None:
    """Removing, appending and prepending change no other row."""
    (found,) = positions([*[None] * first, *known, *[None] * last])
    assert found[first : first + len(known)] == known


def test_an_insertion_numbers_the_list_anew() -> None:
    assert positions([0, None, 1], [2, 1, 0], [5, 5]) == [[0, 1, 2], [0, 1, 2], [0, 1]]
