"""Words in texts: what a snippet shows, whatever the text."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from ecsviz.storage.words import LONGEST, SHOWN, folded, snippet, sought_words, words_in

pieces = st.one_of(
    st.sampled_from(
        ["plan", "Plän", "saved", "ﬁ", "½", "\ud800", "\0", ", ", " ", "\n", "e\u0301"]
    ),
    st.text(max_size=5),
)
texts = st.lists(pieces, max_size=60).map("".join)


@given(text=texts, before=st.integers(0, 12_000))
@example(text="plan", before=3_998)
@example(text="x" * 500 + " plan", before=0)
def test_a_snippet_shows_what_was_found(text: str, before: int) -> None:
    whole = "x, " * (before // 3) + text
    sought = sought_words('plan* "saved plan" fi')
    sought = sought_words("plan*") if not sought.fits(folded(whole)) else sought
    shown, marks = snippet(whole, sought)
    assert len(shown) <= SHOWN
    inner = shown.removeprefix("…").removesuffix("…")
    assert "".join(" " if c.isspace() else c for c in whole).find(inner) >= 0
    assert bool(marks) == sought.fits(folded(whole))
    last = 0
    for start, stop in marks:
        assert last <= start < stop <= len(shown)
        last = stop
        words = words_in(shown[start:stop])
        assert any(word.startswith(("plan", "saved", "fi")) for word in words), words


def test_a_match_far_into_a_long_text_is_shown() -> None:
    for length in (3_990, 4_000, 31_995, 300_000):
        text = f"{'x ' * (length // 2)}the save plan{' y' * 10_000}"
        shown, marks = snippet(text, sought_words('"save plan" the'))
        assert [shown[start:stop] for start, stop in marks] == ["the", "save plan"]
        assert snippet(text[::-1], sought_words("nalp"))[0].startswith("…y y ")


def test_words_are_cut_and_their_parts_stay_together() -> None:
    assert words_in("a" * 1_000) == ["a" * LONGEST]
    assert max(map(len, words_in("㎯ﷺ" * 150))) <= LONGEST
    assert words_in("e\u0301té e\u0301") == ["ete", "e"]
