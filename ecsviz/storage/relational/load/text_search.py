"""Searching by words: through the indexes of a store, and text by text where there are none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.basics.text import sql_name
from ecsviz.storage.hits import (
    Hits,
    Ranked,
    TextSearch,
    check_text_fields,
    hit_of,
    in_rank,
    nothing_indexed,
)
from ecsviz.storage.relational.load.ids import types_of
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.mapping import ClassMap
from ecsviz.storage.relational.schema.text_index import (
    BATCH,
    forget,
    indexes_in,
    is_able,
    make_indexes,
    read_texts,
    text_fields,
    work_off,
)
from ecsviz.storage.relational.schema.text_tables import (
    ROW_ID,
    TextIndex,
    changes_of,
    looking_up,
    words_of,
)
from ecsviz.storage.sql.dialects import row_of
from ecsviz.storage.sql.statements import columns_of, key_condition, value_of
from ecsviz.storage.words import Ranking, SoughtWords, Term, folded


def find_texts(conn: Connection, catalog: Catalog, cls: type | None, wanted: TextSearch) -> Hits:
    """Return what a search finds, in rank.

    Notes
    -----
    Two statements for each field that has an index, one for every 10,000 texts of a field that has
    none, and one for each field of which something is shown.
    """
    places = list(_places(conn, catalog, cls, wanted))
    changed = _changed(conn, catalog, [place.index for place in places if place.has_index])
    found: list[Ranked] = []
    for number, place in enumerate(places):
        index = place.index
        with looking_up(index):
            rows = (
                _ranked_by_index(conn, index, wanted, index.name in changed)
                if place.has_index
                else _ranked_by_reading(conn, index, wanted)
            )
        found += [(score, place.index.type_name, number, row_id) for row_id, score in rows]
    shown = in_rank(found, wanted)
    texts = {
        number: {row[0]: row[1:] for row in _those(conn, place.index, number, shown)}
        for number, place in enumerate(places)
        if any(hit[2] == number for hit in shown)
    }
    hits = []
    for score, name, number, row_id in shown:
        ecs_id, text = texts[number].get(row_id, (None, ""))
        if wanted.sought.fits(folded(text)):  # else the index is not what the triggers left it
            field = places[number].index.field
            hits.append(hit_of(score, name, field, ecs_id, text, wanted.sought))
    return Hits(wanted.sought.text, hits)


@dataclass(frozen=True, slots=True)
class _Place:
    """A field that is searched: as an index of it is or would be."""

    index: TextIndex
    has_index: bool


def _places(
    conn: Connection, catalog: Catalog, cls: type | None, wanted: TextSearch
) -> Iterator[_Place]:
    """Yield the fields that are searched, by class."""
    able = is_able(conn)
    there = {(i.type_name, i.field): i for i in indexes_in(conn, catalog.mapping)}
    if cls is None:
        if not there:
            raise nothing_indexed()
        yield from (_Place(index, able) for index in there.values())
        return
    names = types_of(cls, catalog.mapping)
    check_texts(catalog, cls, wanted.fields or ())
    for known in catalog.classes_of(names):
        own = text_fields(known)
        indexed = [name for name in own if (known.type_name, name) in there]
        for name in own:
            if name not in (wanted.fields or indexed or own):
                continue
            index = there.get((known.type_name, name)) or place_of_text(catalog, known, name)
            yield _Place(index, able and name in indexed)


def check_texts(catalog: Catalog, cls: type, fields: Sequence[str]) -> None:
    """Raise InvalidArgumentError unless a class has all of some fields, with texts."""
    check_text_fields(cls, text_fields(catalog.mapping.map_classes([cls])[0]), fields)


def index_texts(conn: Connection, catalog: Catalog, cls: type, fields: Sequence[str]) -> int:
    """Make the indexes of a class and its subclasses, as far as they are not there.

    Returns
    -------
    int
        How many texts are in them.
    """
    wanted = [
        (known.type_name, name)
        for known in catalog.classes_of(types_of(cls, catalog.mapping))
        for name in text_fields(known)
        if not fields or name in fields
    ]
    made = make_indexes(conn, catalog.store, catalog.mapping, wanted)
    for index in made:
        work_off(conn, index)
    counts = (sa.select(sa.func.count()).select_from(words_of(conn, index)) for index in made)
    return sum(value_of(conn, query) for query in counts)


def drop_texts(conn: Connection, catalog: Catalog, cls: type, fields: Sequence[str]) -> None:
    """Take the indexes of a class and its subclasses away, of all fields if none is named."""
    check_texts(catalog, cls, fields)
    names, there = types_of(cls, catalog.mapping), indexes_in(conn, catalog.mapping)
    gone = [i for i in there if i.type_name in names and (not fields or i.field in fields)]
    forget(conn, catalog.store, gone, there)


def place_of_text(catalog: Catalog, known: ClassMap, field: str) -> TextIndex:
    """Return where the texts of a field are that has no index."""
    column = known.layout()[field]["column"]
    schema = catalog.mapping.metadata.schema
    return TextIndex(known.type_name, field, "", known.table.name, column, schema)


def _changed(conn: Connection, catalog: Catalog, indexes: Sequence[TextIndex]) -> set[str]:
    """Return the names of the indexes that are not up to date, of some that will be looked at."""
    if not indexes:
        return set()
    if catalog.database.is_sqlite:
        catalog.database.bound(conn)  # an index may be damaged, or a stranger's
    c = changes_of(catalog.mapping.metadata.schema).c
    with looking_up(indexes[0]):
        return set(columns_of(conn, sa.select(c.name).distinct())[0])


def _those(
    conn: Connection, index: TextIndex, number: int, shown: list[Ranked]
) -> list[tuple[int, Any, str]]:
    ids = [row_id for _, _, of, row_id in shown if of == number]
    return read_texts(conn, index, key_condition(conn, ROW_ID, ids))


# -- reading every text ----------------------------------------------------------------------


def _ranked_by_reading(
    conn: Connection, index: TextIndex, wanted: TextSearch
) -> list[tuple[int, float]]:
    ranking, last = Ranking(wanted.sought), -(2**62)
    while rows := read_texts(conn, index, last < ROW_ID, limit=BATCH):
        for row_id, _, text in rows:
            ranking.add(row_id, text)
        last = rows[-1][0]
    return ranking.scores()


def _ranked_changes(conn: Connection, index: TextIndex, sought: SoughtWords) -> Any:
    """Return row ids and scores of what fits, of rows that have changed since."""
    c = changes_of(index.schema).c
    those = ROW_ID.in_(sa.select(c.row_id).where(c.name == index.name))
    ranking = Ranking(sought)
    for row_id, _, text in read_texts(conn, index, those):
        ranking.add(row_id, text)
    return ranking.scores()


# -- through an index ------------------------------------------------------------------------


def _ranked_by_index(
    conn: Connection, index: TextIndex, wanted: TextSearch, changed: bool
) -> list[tuple[int, float]]:
    query, score, better = _those_that_fit(conn, index, wanted.sought, changed)
    key = query.selected_columns[0]
    query = query.add_columns(score.label("score")).order_by(better, key).limit(wanted.stop)
    found = list(zip(*columns_of(conn, query), strict=True))
    return found + _ranked_changes(conn, index, wanted.sought) if changed else found


def _those_that_fit(
    conn: Connection, index: TextIndex, sought: SoughtWords, changed: bool
) -> tuple[sa.Select[Any], Any, Any]:
    """Return a query for the row ids, the score, and what puts the best first."""
    words = words_of(conn, index)
    if row_of(conn).words == "fts5":
        asked: Any = sa.literal_column(sql_name(index.name))
        fits: list[Any] = [asked.op("MATCH")(match(sought))]
        better: Any = sa.column("rank", sa.Float())
        score = -better
    else:
        by = sa.cast(sa.bindparam(None, tsquery(sought)), _TsQuery())
        lexemes: Any = sa.column("lexemes")
        padded = sa.literal(" ") + words.c.words + sa.literal(" ")
        phrases = [term for term in sought.terms if len(term.words) > 1]
        fits = [lexemes.op("@@")(by), *(padded.contains(t.pattern) for t in phrases)]
        score = sa.func.ts_rank(lexemes, by, 1, type_=sa.Float())
        better = score.desc()
    if changed:
        c = changes_of(index.schema).c
        fits.append(words.c[0].not_in(sa.select(c.row_id).where(c.name == index.name)))
    return sa.select(words.c[0]).where(*fits), score, better


def rows_that_fit(
    conn: Connection, catalog: Catalog, type_name: str, row_id: Any, sought: SoughtWords
) -> dict[str, Any]:
    """Return per indexed field of a class the condition that its text fits.

    Parameters
    ----------
    conn, catalog, type_name
        Of what.
    row_id
        The column of the row ids.
    sought
        What is looked for.
    """
    indexes = [i for i in indexes_in(conn, catalog.mapping) if i.type_name == type_name]
    result: dict[str, Any] = {}
    if not indexes or not is_able(conn):
        return result
    names = _changed(conn, catalog, indexes)
    for index in indexes:
        changed = index.name in names
        query = _those_that_fit(conn, index, sought, changed)[0]
        with looking_up(index):
            columns_of(conn, query.limit(1))
        there = row_id.in_(query)
        if changed:
            more = [found for found, _ in _ranked_changes(conn, index, sought)]
            there = sa.or_(there, key_condition(conn, row_id, more))
        result[index.field] = there
    return result


class _TsQuery(sa.types.UserDefinedType[str]):
    """What PostgreSQL looks for in a ``tsvector``."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Return what SQL calls it."""
        return "tsquery"


def match(sought: SoughtWords) -> str:
    """Return what is looked for as FTS5 writes it.

    Examples
    --------
    >>> from ecsviz.storage.words import sought_words
    >>> match(sought_words('save "the plan" cyc*'))
    '"save" AND "the plan" AND "cyc" *'
    """
    return " AND ".join(f'"{" ".join(t.words)}"{" *" if t.prefix else ""}' for t in sought.terms)


def tsquery(sought: SoughtWords) -> str:
    """Return what is looked for as PostgreSQL writes it; whether words follow on each other is not.

    Examples
    --------
    >>> from ecsviz.storage.words import sought_words
    >>> tsquery(sought_words('save "the plan" cyc*'))
    "'save' & 'the' & 'plan' & 'cyc':*"
    """
    return " & ".join(map(_asked, sought.terms))


def _asked(term: Term) -> str:
    return " & ".join(f"'{word}'{':*' if term.prefix else ''}" for word in term.words)
