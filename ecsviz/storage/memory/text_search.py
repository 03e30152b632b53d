"""Searching by words in memory: every text of the stored states is read."""

from __future__ import annotations

from collections.abc import Sequence

from ecsviz.domain.entity_class import (
    derives_from,
    known_entity_classes,
    newest_definition,
    type_key,
)
from ecsviz.storage.criteria import Fields
from ecsviz.storage.hits import (
    Hits,
    Ranked,
    TextSearch,
    check_text_fields,
    hit_of,
    in_rank,
    nothing_indexed,
)
from ecsviz.storage.memory.kept import Kept, Record
from ecsviz.storage.memory.loading import records_of
from ecsviz.storage.words import Ranking
from ecsviz.values.column_codecs import TextCodec


def find_texts(kept: Kept, cls: type | None, wanted: TextSearch) -> Hits:
    """Return what a search finds, in rank; O(texts)."""
    if cls is None and not any(kept.texts.values()):
        raise nothing_indexed()
    records: list[Record] = sorted(kept.records.values(), key=lambda record: record.number)
    if cls is not None:
        check_texts(cls, wanted.fields or ())
        records = records_of(kept.records, cls)
    places: dict[tuple[str, str], Ranking] = {}
    fields: dict[type, list[str]] = {}
    for record in records:
        of = record.cls
        if of not in fields:
            fields[of] = _fields(kept, newest_definition(of), cls is None, wanted)
        for name in fields[of]:
            text = record.state.get(name)
            if text is not None:
                ranking = places.setdefault((of.__name__, name), Ranking(wanted.sought))
                ranking.add((record.number, record.ecs_id), text)
    keys = sorted(places)
    found: list[Ranked] = [
        (score, keys[number][0], number, row)
        for number in range(len(keys))
        for row, score in places[keys[number]].scores()
    ]
    hits = []
    for score, name, number, (_, ecs_id) in in_rank(found, wanted):
        field = keys[number][1]
        text = kept.records[ecs_id].state[field]
        hits.append(hit_of(score, name, field, ecs_id, text, wanted.sought))
    return Hits(wanted.sought.text, hits)


def _fields(kept: Kept, cls: type, only_indexed: bool, wanted: TextSearch) -> list[str]:
    """Return in which fields of a class is searched."""
    own = text_fields(cls)
    indexed = [name for name in own if is_indexed(kept, cls, name)]
    if only_indexed:
        return indexed
    return [name for name in own if name in (wanted.fields or indexed or own)]


def is_indexed(kept: Kept, cls: type, field: str) -> bool:
    """Tell whether `index_text` was called for a field, of a class or of the nearest base."""
    said = (kept.texts.get((type_key(base), field)) for base in cls.__mro__)
    return next((is_so for is_so in said if is_so is not None), False)


def text_fields(cls: type) -> list[str]:
    """Return the fields of a class that hold texts."""
    return [n for n, codec in Fields.of(cls).codecs.items() if isinstance(codec, TextCodec)]


def check_texts(cls: type, fields: Sequence[str]) -> None:
    """Raise InvalidArgumentError unless a class has all of some fields, with texts."""
    check_text_fields(cls, text_fields(cls), fields)


def index_texts(kept: Kept, cls: type, fields: Sequence[str]) -> int:
    """Note that fields are searched where no class is named; return how many texts they hold."""
    wanted = _note(kept, cls, fields, indexed=True)
    records = records_of(kept.records, cls)
    return sum(record.state.get(name) is not None for record in records for name in wanted)


def drop_texts(kept: Kept, cls: type, fields: Sequence[str]) -> None:
    """Note that fields are not searched any more where no class is named."""
    _note(kept, cls, fields, indexed=False)


def _note(kept: Kept, cls: type, fields: Sequence[str], *, indexed: bool) -> list[str]:
    """Note of fields whether they are indexed, for a class and its subclasses."""
    check_texts(cls, fields)
    wanted = [name for name in text_fields(cls) if not fields or name in fields]
    below = [type_key(kind) for kind in known_entity_classes() if derives_from(kind, cls)]
    for name in wanted:
        for key in below:
            kept.texts.pop((key, name), None)
        kept.texts[type_key(cls), name] = indexed
    return wanted
