"""Pages in memory: the stored states of a class as rows, found, sorted and cut."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ecsviz.domain.entity_class import is_entity_class
from ecsviz.storage.looking import Page, PageColumn, Wanted
from ecsviz.storage.memory.kept import Held, Record
from ecsviz.storage.words import SoughtWords, begun_words, folded


def page_of(records: list[Record], wanted: Wanted, is_indexed: Callable[[type, str], bool]) -> Page:
    """Return a page of records; in fields that are indexed, words are looked for."""
    columns = columns_of(records)
    text = wanted.sought.casefold()
    texts = [column.name for column in columns if column.kind == "text"]
    if text:
        sought = begun_words(wanted.sought)
        whole = set(texts if sought is not None else ())
        whole &= {n for r in records[:1] for n in texts if is_indexed(r.cls, n)}
        parts = [name for name in texts if name not in whole]
        records = [
            record
            for record in records
            if str(record.ecs_id) == text
            or _says(record, parts, text, [f" {word.casefold()}" for word in wanted.words])
            or (sought is not None and _has_words(record, whole, sought))
        ]
    order = wanted.order_by.removeprefix("-")
    if any(column.sorts and column.name == order for column in columns):
        falling = wanted.order_by.startswith("-")
        there = [r for r in records if _value(r, order) is not None]
        there.sort(key=lambda record: _key(_value(record, order)), reverse=falling)
        records = [*there, *(r for r in records if _value(r, order) is None)]
    shown = records[wanted.first : wanted.first + wanted.size]
    rows = [[_value(record, column.name) for column in columns] for record in shown]
    return Page(columns, [record.ecs_id for record in shown], rows, len(records))


def columns_of(records: list[Record]) -> list[PageColumn]:
    """Return the columns of records, their kinds from the values that are there."""
    kinds: dict[str, set[str]] = {}
    for record in records:
        for name, value in record.state.items():
            kinds.setdefault(name, set()).add(_kind_of(value))
    columns = []
    for name, found in kinds.items():
        found.discard("none")
        if "several" not in found:
            columns.append(PageColumn(name, found.pop() if len(found) == 1 else "other"))
    return [*columns, PageColumn("version", "number")]


def _kind_of(value: Any) -> str:
    if value is None:
        return "none"
    if type(value) is Held:
        return "entity"
    if isinstance(value, (list, tuple, set, frozenset, dict)):
        return "several" if any(_held_in(value)) or not value else "other"
    for kind, types in (("yes", bool), ("number", (int, float)), ("text", str)):
        if isinstance(value, types):
            return kind
    return "time" if hasattr(value, "isoformat") else "other"


def _held_in(value: Any) -> Iterator[bool]:
    for part in value.values() if isinstance(value, dict) else value:
        yield type(part) is Held or is_entity_class(type(part))


def _value(record: Record, name: str) -> Any:
    value = record.version if name == "version" else record.state.get(name)
    return value.ecs_id if type(value) is Held else value


def _key(value: Any) -> Any:
    # Times with and without an offset do not compare.
    return value if isinstance(value, (str, int, float)) else str(value)


def _has_words(record: Record, names: Iterable[str], sought: SoughtWords) -> bool:
    values = (record.state.get(name) for name in names)
    return any(isinstance(value, str) and sought.fits(folded(value)) for value in values)


def _says(record: Record, names: list[str], text: str, words: list[str]) -> bool:
    """Tell whether a text has a part, or some of its words begin like all that are given."""
    values = (record.state.get(name) for name in names)
    texts = [f" {value.casefold()}" for value in values if isinstance(value, str)]
    return any(
        text in value or (bool(words) and all(word in value for word in words)) for value in texts
    )
