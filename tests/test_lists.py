"""Positions in lists that back-references say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ecsviz.lists import _positions

before = st.lists(st.none() | st.integers(-50, 50), max_size=12)


@given(before)
def test_positions_rise(given_: list[int | None]) -> None:
    found = _positions(given_)
    assert len(found) == len(given_)
    numbers = [n for n in found if n is not None]
    assert len(numbers) == len(found)
    assert numbers == sorted(set(numbers))


@given(
    st.lists(st.integers(-50, 50), unique=True, max_size=10).map(sorted),
    st.integers(0, 4),
    st.integers(0, 4),
)
def test_what_stays_in_order_keeps_its_position(known: list[int], first: int, last: int) -> None:
    """Removing, appending and prepending change no other row."""
    found = _positions([*[None] * first, *known, *[None] * last])
    assert found[first : first + len(known)] == known


def test_an_insertion_numbers_the_list_anew() -> None:
    assert _positions([0, None, 1]) == [0, 1, 2]
    assert _positions([2, 1, 0]) == [0, 1, 2]
    assert _positions([]) == []
