"""What has changed in a class since it was stored, told without looking at rows."""

from __future__ import annotations

import pytest

import ecsviz as ev
from ecsviz.storage.relational.schema.mapping import Mapping, StoredType
from ecsviz.storage.relational.upkeep.class_changes import (
    Change,
    Declared,
    Described,
    Migration,
    compare,
    take_apart,
)
from ecsviz.values.field_codecs import describe


@pytest.mark.parametrize(
    ("text", "layout", "parts"),
    [
        ("BIGINT", {"column": "a"}, Described("value", ("BIGINT",))),
        ("TEXT or none", {"column": "a"}, Described("value", ("TEXT",), True)),
        ("Page", {"columns": {}}, Described("single", ("Page",))),
        ("A or B or none", {"columns": {}}, Described("single", ("A", "B"), True)),
        ("A in pages", {"columns": {}}, Described("single", ("A",), False, "pages")),
        ("list of A or B", {"columns": {}, "table": "t"}, Described("list", ("A", "B"))),
        ("dict[TEXT] of A", {"columns": {}, "table": "t"}, Described("dict[TEXT]", ("A",))),
        ("list of A by holder", None, Described("said", ("A",), False, "holder")),
    ],
)
def test_descriptions_are_taken_apart(
    text: str, layout: dict[str, object] | None, parts: Described
) -> None:
    assert take_apart(text, layout) == parts


class Page(ev.Entity):
    number: int
    next: Page | None = None


def changes(stored: dict[str, str], layout: dict[str, dict[str, object]]) -> list[tuple[str, str]]:
    known = Mapping().map_classes([Page])[0]
    old = StoredType("Page", __name__, "pages", stored, layout)
    found = compare("Page", old, Page, describe(Page), Declared(set(), {}), known.layout())
    return [(change.field, change.what) for change in found]


def test_what_is_as_it_was_stored_has_not_changed() -> None:
    assert changes(describe(Page), Mapping().map_classes([Page])[0].layout()) == []


@pytest.mark.parametrize(
    ("stored", "found"),
    [
        ({"next": "Page or none"}, [("number", "added")]),
        ({"number": "BIGINT or none", "next": "Page or none"}, [("number", "required")]),
        ({"number": "TEXT", "next": "Page or none"}, [("number", "retyped")]),
        ({"number": "BIGINT", "next": "Page"}, [("next", "optional")]),
        ({"number": "BIGINT", "next": "Page or Note or none"}, [("next", "holds fewer")]),
        (
            {"number": "BIGINT", "next": "Note or none"},
            [("next", "holds more"), ("next", "holds fewer")],
        ),
        ({"number": "BIGINT", "next": "Page or none", "x": "TEXT"}, [("x", "dropped")]),
    ],
)  # fmt: skip
def test_every_kind_of_change(stored: dict[str, str], found: list[tuple[str, str]]) -> None:
    layout: dict[str, dict[str, object]] = {
        "number": {"column": "number"},
        "next": {"columns": {"Page": "next_id"}},
        "x": {"column": "x"},
    }
    assert changes(stored, layout) == found


def test_a_migration_says_what_it_is() -> None:
    assert not Migration()
    migration = Migration([Change("Page", "x", "dropped", "TEXT", "", "ask for it")])
    assert migration.summary() == "1 change, 1 refused, not applied"
    assert "refused: ask for it" in repr(migration)
    assert migration.to_frame()["refused"].tolist() == ["ask for it"]
