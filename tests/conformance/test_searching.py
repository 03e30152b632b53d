"""Searching by words: the same hits in every storage, with an index and without."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ecsviz as ev
from ecsviz.errors import EcsvizError, InvalidArgumentError, NotAnEntityError
from ecsviz.storage.looking import Wanted
from tests.conformance.conftest import Open


class Page(ev.Entity):
    title: str = ""
    body: str | None = None
    number: int = 0
    next: Page | None = None


class Chapter(Page):
    summary: str = ""


class Shelf(ev.Entity):
    label: str
    pages: list[Page] = ev.reference(inverse=None, default_factory=list)


def shelf(*bodies: str | None) -> Shelf:
    return Shelf(label="shelf", pages=[Page(title=f"p{n}", body=b) for n, b in enumerate(bodies)])


def found(store: Any, text: str, cls: Any = Page, **options: Any) -> set[tuple[Any, str]]:
    hits = store.search(text, cls, **{"limit": None, **options})
    return {(hit.ecs_id, hit.field) for hit in hits}


def bodies(store: Any, text: str, **options: Any) -> list[str]:
    """Return the bodies of the pages that are found, in order of their texts."""
    hits = store.search(text, Page, limit=None, fields="body", **options)
    return sorted(store.get(hit.ecs_id, hops=0).body for hit in hits)


@pytest.fixture(params=["indexed before", "indexed after", "not indexed"])
def filled(request: pytest.FixtureRequest, store: Any) -> Any:
    """A storage with some pages, whose bodies are indexed, or not."""
    if request.param == "indexed before":
        assert store.index_text(Page, "body") == 0
    store.register(
        shelf(
            "What is a save plan?",
            "The plan says what is saved first.",
            "Café: the_SAVE-plan, ½ Straße!",
            "plan plan plan",
            None,
            "Ünïcödé हिन्दी שלום 漢字 Йод",
            "nul\0in it, and a \ud800 half",
            "",
        )
    )
    if request.param == "indexed after":
        assert store.index_text(Page, "body") == 7
    return store


COUNTS: dict[str, int | None] = {
    "save": 2,
    "save plan": 2,
    "plan save": 2,
    '"save plan"': 2,
    '"plan save"': 0,
    '"plan plan"': 1,
    "sav*": 3,
    "SAV* FIRST": 1,
    "saved": 1,
    "plan": 4,
    "cafe": 1,
    "CAFÉ": 1,
    "cafe\u0301": 1,
    "strasse": 1,
    "STRASSE": 1,
    "1 2": 1,
    "½": 1,
    "unicode": 1,
    "हिन्दी": 1,
    "हि*": 1,
    "हिन": 0,
    "שלום": 1,
    "漢*": 1,
    "漢": 0,
    "йод": 1,
    "иод": 1,
    "half": 1,
    "in it": 1,
    "nulin": 0,
    "missing": 0,
    "plan AND": 0,
    "plan OR missing": 0,
    "plan NOT save": 0,
    "body:plan": 0,
    "plan)": 4,
    "(plan": 4,
    "plan'; DROP TABLE pages; --": 0,
    '"': None,
    'plan "': 4,
    'plan " save': 2,
    "*": None,
    "plan*": 4,
    "plan -*": 4,
    '"sav*"': 0,
    "": None,
    "🎉": None,
}
"""How many texts fit; None where there is no word to look for."""


def test_words_phrases_and_beginnings(filled: Any) -> None:
    for text, count in COUNTS.items():
        if count is None:
            with pytest.raises(InvalidArgumentError, match=r"no word"):
                filled.search(text, Page)
        else:
            assert (text, len(found(filled, text, fields="body"))) == (text, count)


def test_better_texts_come_first(filled: Any) -> None:
    hits = filled.search("plan", Page, fields="body")
    texts = [filled.get(hit.ecs_id, hops=0).body for hit in hits]
    assert texts[0] == "plan plan plan"
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_snippets_have_marks(filled: Any) -> None:
    (hit,) = filled.search('strasse "the save"', Page, fields="body")
    assert hit.type == "Page"
    assert hit.field == "body"
    assert [hit.snippet[slice(*mark)] for mark in hit.marks] == ["the_SAVE", "Straße"]


def test_pages_of_hits(filled: Any) -> None:
    every = filled.search("plan", Page, fields="body", limit=None)
    parts = [filled.search("plan", Page, fields="body", limit=2, offset=n) for n in (0, 2, 4)]
    assert [hit for part in parts for hit in part] == list(every)
    assert list(filled.search("plan", Page, fields="body", limit=0)) == []
    assert list(filled.search("plan", Page, fields="body", limit=2**70, offset=2**70)) == []


def test_what_changes_is_found_as_it_is_now(filled: Any) -> None:
    (held,) = filled.find(Shelf)
    before = filled.revisions().revision.max()
    held.pages[0].body = "nothing of the kind"
    held.pages[1].body = None
    added = Page(body="a new plan")
    held.pages.append(added)
    filled.register(held)
    expected = ["Café: the_SAVE-plan, ½ Straße!", "a new plan", "plan plan plan"]
    assert bodies(filled, "plan") == expected
    gone = held.pages.pop(3)
    filled.register(held)
    filled.delete(gone)
    assert bodies(filled, "plan") == expected[:2]
    filled.revert(held, to=before)
    assert len(bodies(filled, "plan")) == 5  # what was added stays stored
    assert len(filled.verify()) == 0


def test_subclasses_are_searched_and_indexed(store: Any) -> None:
    store.index_text(Page, "body", "title")
    store.register([Page(title="a plan"), Chapter(body="the plan", summary="plan")])
    hits = store.search("plan", Page)
    assert {(hit.type, hit.field) for hit in hits} == {("Page", "title"), ("Chapter", "body")}
    assert found(store, "plan") == {(hit.ecs_id, hit.field) for hit in store.search("plan")}
    assert {hit.field for hit in store.search("plan", Chapter)} == {"body"}
    assert {hit.field for hit in store.search("plan", Chapter, fields=["summary"])} == {"summary"}
    assert len(store.verify()) == 0


def test_without_an_index_all_texts_are_searched(store: Any) -> None:
    store.register(Chapter(title="plan", body="plan", summary="plan"))
    assert {hit.field for hit in store.search("plan", Page)} == {"title", "body", "summary"}
    assert {hit.field for hit in store.search("plan", Page, fields="title")} == {"title"}
    with pytest.raises(InvalidArgumentError, match="index_text"):
        store.search("plan")


def test_nothing_is_stored_yet(store: Any) -> None:
    assert list(store.search("plan", Page)) == []
    assert store.index_text(Page) == 0
    assert list(store.search("plan", Page)) == []
    assert list(store.search("plan")) == []
    store.register(Page(title="plan"))
    assert len(store.search("plan")) == 1
    assert store.index_text(Page) == 1


def test_an_index_outlives_the_object(reopen: Open) -> None:
    first: Any = reopen()
    first.index_text(Page, "body")
    first.register(shelf("a plan"))
    again: Any = reopen()
    again.register(shelf("another plan"))
    assert [hit.field for hit in again.search("plan")] == ["body", "body"]
    assert len(again.verify()) == 0


def test_the_hits_are_a_table(store: Any) -> None:
    store.register(Page(title="<b>plan</b> & more"))
    hits = store.search("plan", Page)
    frame = hits.to_frame()
    assert list(frame) == ["type", "field", "score", "snippet", "ecs_id"]
    assert frame.ecs_id.tolist() == [hit.ecs_id for hit in hits]
    shown = hits._repr_html_()
    assert "&lt;b&gt;" in shown
    assert "<b>" not in shown
    assert "<strong>plan</strong>" in shown
    assert repr(hits).splitlines()[1] == "  Page.title: <b>[plan]</b> & more"
    assert hits[:1] == hits
    assert len(store.search("missing", Page).to_frame()) == 0


def test_bad_input_says_what_to_do(store: Any) -> None:
    store.register(Page(title="plan"))
    for wrong in (None, 3, b"plan", ["plan"]):
        with pytest.raises(InvalidArgumentError, match="as a text"):
            store.search(wrong, Page)
    with pytest.raises(InvalidArgumentError, match="at most 64"):
        store.search(" ".join(map(str, range(65))), Page)
    assert list(store.search(" ".join(map(str, range(64))), Page)) == []
    with pytest.raises(InvalidArgumentError, match="body"):
        store.search("plan", Page, fields=["bdy"])
    with pytest.raises(InvalidArgumentError, match="number"):
        store.index_text(Page, "number")
    with pytest.raises(InvalidArgumentError, match="class"):
        store.search("plan", fields=["body"])
    for options in ({"limit": -1}, {"offset": None}, {"limit": "x"}, {"offset": 1.5}):
        with pytest.raises(InvalidArgumentError, match="whole number"):
            store.search("plan", Page, **options)
    for wrong_class in (int, "Page", Page()):
        with pytest.raises(NotAnEntityError):
            store.search("plan", wrong_class)
        with pytest.raises(NotAnEntityError):
            store.index_text(wrong_class)


TEXTS = [
    "a plan",
    "A Plan, saved",
    "plan plan \0 plan",
    "é e\u0301 E",
    "AND OR NOT NEAR",
    "x:y {z} ^w -v",
    "ﬁne ﬁ",
    "\ud800a",
    "a b c a b",
    "İstanbul \u0131sparta",
    "ⅷ VIII 8",
    "a\u200bb",
    "❤️ love 1️⃣",
    "snake_case kebab-case",
    "z" * 300,
]
PIECES = [*'ab"*()^:{}-+\0', "plan", "saved", "é", "e\u0301", "AND", "NEAR(", "z" * 250, "ﬁ", "❤️"]
asked = st.one_of(
    st.lists(st.sampled_from([*PIECES, " ", " ", '"']), max_size=12).map("".join), st.text()
)


def numbers(where: Any, text: str, field: str) -> Any:
    """Return the numbers of the pages that are found; or what is wrong with the question."""
    try:
        return {where.get(i, hops=0).number for i, _ in found(where, text, fields=field)}
    except EcsvizError as error:
        return str(error)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=asked, more=st.text(max_size=20))
def test_any_text_means_the_same_everywhere(store: Any, text: str, more: str) -> None:
    plain = ev.InMemoryEntityStorage()
    texts = [*TEXTS, more]
    plain.register([Page(body=each, number=n) for n, each in enumerate(texts)])
    if not len(store.revisions()):
        store.index_text(Page, "body")
        store.register([Page(body=each, title=each, number=n) for n, each in enumerate(TEXTS)])
    odd = Page(body=more, title=more, number=len(TEXTS))
    store.register(odd)
    expected = numbers(plain, text, "body")
    assert numbers(store, text, "body") == expected
    assert numbers(store, text, "title") == expected
    store.delete(odd)


def test_pages_are_searched_through_an_index(store: Any) -> None:
    """What the explorer asks; without an index, it looks for parts of texts."""
    store.register([Page(title="complan", body="a plan, saved"), Page(title="x", body="complan")])

    def page(text: str) -> list[str]:
        found_there = store.inside.page("Page", Wanted(search=text))
        assert found_there.total == len(found_there.ids)
        return sorted(store.get(i, hops=0).title for i in found_there.ids)

    assert page("plan") == page("PLAN") == ["complan", "x"]
    store.index_text(Page, "body")
    assert page("complan") == ["complan", "x"]
    assert page("plan sav") == page('"plan saved"') == ["complan"]
    assert page("a pl") == ["complan"]
    assert page("sav plan") == []
    assert page(", sa") == ["complan"]
    assert page(",") == ["complan"], "no word: a part"
    assert page("%") == []
    assert page("mpla") == ["complan"], "of the title, which is not indexed, a part"
    (found_id,) = store.inside.page("Page", Wanted(search="saved")).ids
    assert store.inside.page("Page", Wanted(search=str(found_id))).ids == [found_id]
    held = store.get(found_id)
    held.body = "something else"
    store.register(held)
    assert page("saved") == []
    assert page("something") == ["complan"]
