"""Short names for people: what is chosen, and what of a hostile text comes through."""

from __future__ import annotations

import unicodedata
from enum import Enum
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import ecsviz as ev
from ecsviz.domain import labels
from ecsviz.domain.labels import clean_text, in_lines, label_of, text_width
from ecsviz.draw.labels import differing


class Grade(Enum):
    LOW = "low"


def make(**fields: Any) -> Any:
    annotations = {name: type(value) for name, value in fields.items()}
    return type("Thing", (ev.Entity,), {"__annotations__": annotations, "__module__": __name__})(
        **fields
    )


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        ({"title": "b", "name": "a"}, "Thing a"),
        ({"name": "", "title": "b"}, "Thing b"),
        ({"role": "user", "content": "hello"}, "Thing user: hello"),
        ({"content": "hello"}, "Thing hello"),
        ({"id": "x1", "user_id": "x2", "note": "n"}, "Thing n"),
        ({"count": 3}, "Thing count=3"),
        ({"grade": Grade.LOW}, "Thing grade=low"),
        ({"yes": True}, "Thing"),
        ({"raw": b"abc", "parts": ["a"]}, "Thing"),
        ({"external_id": "0123", "subtitle": "second", "name": ""}, "Thing second"),
        ({"count": 3, "note": "hello"}, "Thing hello"),
        ({}, "Thing"),
    ],
)
def test_what_an_entity_is_called(fields: dict[str, Any], label: str) -> None:
    assert label_of(make(**fields)) == label
    assert label_of(make(**fields), with_type=False) == label.removeprefix("Thing ")


def test_a_label_with_its_type_has_no_more_room() -> None:
    assert label_of(make(role="user", content="message 0")) == "Thing user: message 0"
    assert label_of(make(role="user", content="a long message")) == "Thing user: a long mess…"


@pytest.mark.parametrize("node", [ev.ChatThread, "ChatThread"])
def test_classes_and_names_of_tables_are_their_labels(node: Any) -> None:
    assert label_of(node) == "ChatThread"


def test_properties_are_never_evaluated() -> None:
    class Lazy(ev.Entity):
        @property
        def name(self) -> str:
            raise RuntimeError("evaluated")

    assert label_of(Lazy()) == "Lazy"


def test_a_placeholder_has_its_class_alone(tmp_path: Any) -> None:
    store = ev.SQLAlchemyEntityStorage(":memory:")
    thread = ev.ChatThread(title="Cycles")
    thread.say("user", "hello")
    store.register(thread)
    assert label_of(store.get(thread.ecs_id, hops=0).messages[0]) == "ChatMessage"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\r\n\tb", "a b"),
        ("  many \n\t spaces ", "many spaces"),
        ("a\u202eb\u200fc", "abc"),
        ("\x1b[31mred", "[31mred"),
        ("a\ud800b", "ab"),
        ("e" + "\u0301" * 50, "e" + "\u0301" * 2),
        ("   ", ""),
        ("漢字" * 20, "漢字" * 5 + "漢…"),
        ("x" * 30, "x" * 23 + "…"),
        ("org.example.deep.package.Name", "…ample.deep.package.Name"),
    ],
)
def test_texts_are_cleaned_and_cut(text: str, shown: str) -> None:
    assert clean_text(text) == shown


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        ("exactly ten", 11, "exactly ten"),
        ("one more than that", 10, "one more…"),
        ("日本語", 4, "日…"),
        ("日本語", 6, "日本語"),
        ("com.example.deeply.nested", 12, "…eply.nested"),
        ("com.example.deep.er", 9, "…deep.er"),
    ],
)
def test_texts_are_cut_to_a_limit(text: str, limit: int, shown: str) -> None:
    assert clean_text(text, limit) == shown


@given(text=st.text(st.characters(codec=None, exclude_categories=())), limit=st.integers(1, 40))
def test_no_text_is_wider_than_asked_or_hostile(text: str, limit: int) -> None:
    shown = clean_text(text, limit)
    wide = sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in shown
    )
    assert wide <= limit
    assert not any(unicodedata.category(c)[0] == "C" for c in shown)
    assert shown == " ".join(shown.split())


def test_what_is_held_to_be_narrow_is() -> None:
    narrow = [c for c in map(chr, range(0x110000)) if labels._NARROW.fullmatch(c)]
    assert len(narrow) > 600
    for character in narrow:
        if not character.isspace():
            assert labels._one_line(f"a{character}\u0300b") == f"a{character}\u0300b"
            assert labels._column(character) == 1
    assert [c for c in narrow if c.isspace()] == list("\t\n\r ")


@given(st.text(st.sampled_from("ab .-漢é"), max_size=90))
@example("漢字漢字漢字漢 漢字漢字漢字漢字漢字漢字漢字漢字")
def test_a_label_in_two_lines_loses_nothing_that_has_room(text: str) -> None:
    label = clean_text(text, 200)
    lines = in_lines(label)
    assert len(lines) <= 2
    if len(label) <= 24:
        assert "".join("".join(lines).split()) == "".join(label.split()), "never cut"
    else:
        assert all(text_width(line) <= 24 for line in lines)
        assert len(lines) == 2
    if "…" not in "".join(lines):
        assert "".join("".join(lines).split()) == "".join(label.split())


WORDS = st.text(st.sampled_from("ab漢-_/. "), min_size=1, max_size=60).map(clean_text)


@given(WORDS, st.sampled_from([14, 24]))
def test_names_are_broken_and_up_to_24_columns_not_cut(text: str, columns: int) -> None:
    text = clean_text(text, 2 * columns)
    lines = in_lines(text, columns)
    assert len(lines) <= 2
    assert all(text_width(line) <= columns for line in lines)
    if text_width(text) <= 24:
        assert "".join("".join(lines).split()) == "".join(text.split())
    elif len(lines) == 2 and "…" not in lines[1]:
        assert " ".join(lines).split() == text.split() or "".join(lines) == text


def test_names_that_begin_alike_are_told_by_where_they_differ() -> None:
    names = ["On the theory of rings", "On the theory of fields", "On the theory of fowls", "Sets"]
    assert differing(names, 30) == names
    assert differing(names, 16) == ["…rings", "…fields", "…fowls", "Sets"]
    assert differing(names[:2], 16) == names[:2], "two are not many"
    same = ["The very same beginning of all"] * 4
    assert differing(same, 16) == same
