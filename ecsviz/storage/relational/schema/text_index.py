"""Indexes of words: a table per indexed field, kept in step by triggers and by whoever saves.

What an index keeps is not the text but its words, as `ecsviz.storage.words` takes them apart, so
that a search means the same with an index, without, in memory and on every database. No trigger
can do that. So the triggers of a class's table only note which rows have changed, in
``ecs_text_changes``: whatever changes them, a save, a session or plain SQL. Every transaction of
ours that writes ends with working that off (`keep_in_step`); what is noted and not worked off, a
search reads row by row. So it finds what is there, at any time.

On SQLite an index is a table of FTS5, whose tokenizer ``ascii`` divides such words at spaces alone;
on PostgreSQL a table with the words and a ``tsvector`` of them. Which fields are indexed stands in
``ecs_store``, under the key ``texts``, sealed with the other settings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.basics.text import sql_name
from ecsviz.errors import StorageError, StoredDataInvalidError
from ecsviz.storage.relational.schema.mapping import ClassMap, Mapping, StoredType
from ecsviz.storage.relational.schema.naming import can_be_name, limited
from ecsviz.storage.relational.schema.stored_types import setting_object
from ecsviz.storage.relational.schema.text_tables import (
    CHANGES,
    PREFIX,
    ROW_ID,
    TextIndex,
    changes_of,
    is_damage,
    looking_up,
    made_by,
    parts_of,
    texts_of,
    triggers_of,
    words_of,
)
from ecsviz.storage.sql.dialects import row_of
from ecsviz.storage.sql.driver_values import exact_by_field
from ecsviz.storage.sql.statements import columns_of, insert_rows, key_condition
from ecsviz.storage.words import folded
from ecsviz.values.column_codecs import Refused, TextCodec
from ecsviz.values.unfit import invalid

TEXTS: Final = "texts"
"""The setting that says which fields are indexed; and where a transaction keeps what it says."""

BATCH: Final = 10_000
"""How many texts are taken apart at a time."""

_LARGEST: Final = 500_000
"""Bytes of words from which on PostgreSQL may refuse their ``tsvector``, with its places."""
_PLACES: Final = 255
"""How many places of a word PostgreSQL keeps."""


def indexes_in(conn: Connection, mapping: Mapping) -> list[TextIndex]:
    """Return the indexes of a store, as a transaction found them; by type and field.

    Raises
    ------
    StoredDataInvalidError
        If what the store says of them is not what ecsviz writes.
    """
    found = []
    for type_name, fields in sorted(setting_object(TEXTS, conn.info.get(TEXTS)).items()):
        stored = mapping.stored.get(type_name)
        for field, name in fields.items() if stored and isinstance(fields, dict) else [("", "")]:
            column = stored.layout.get(field, {}).get("column") if stored else None
            ours = isinstance(name, str) and name.startswith(PREFIX) and can_be_name(name)
            if stored is None or column is None or not ours:
                raise invalid("ecs_store", "value", TEXTS, "is not what ecsviz writes there")
            schema = mapping.metadata.schema
            found.append(TextIndex(type_name, field, name, stored.table, column, schema))
    return found


def text_fields(known: ClassMap) -> list[str]:
    """Return the fields of a class that hold texts."""
    return [value.name for value in known.values if isinstance(value.codec, TextCodec)]


# -- making ----------------------------------------------------------------------------------


def make_indexes(
    conn: Connection, settings: sa.Table, mapping: Mapping, wanted: Iterable[tuple[str, str]]
) -> list[TextIndex]:
    """Make the indexes of some fields, given as type and field, and fill them.

    Returns
    -------
    list
        Of the given fields, those that were there already among them.

    Raises
    ------
    StorageError
        If the database has no such index.
    """
    check_able(conn)
    there = {(index.type_name, index.field): index for index in indexes_in(conn, mapping)}
    taken = {index.name for index in there.values()}
    result = []
    for type_name, field in wanted:
        index = there.get((type_name, field))
        if index is None:
            index = _new(mapping.stored[type_name], field, mapping.metadata.schema, taken)
            there[type_name, field] = index
            taken.add(index.name)
            _make(conn, index)
            _note(conn, settings, there.values())
            work_off(conn, index)
        result.append(index)
    return result


def _new(stored: StoredType, field: str, schema: str | None, taken: set[str]) -> TextIndex:
    column = stored.layout[field]["column"]
    wanted = f"{PREFIX}{stored.table}_{column}"
    name, number = _short(wanted), 1
    gone = {CHANGES, *(part for other in taken for part in parts_of(other))}
    while not gone.isdisjoint(parts_of(name)):
        number += 1
        name = _short(f"{wanted}_{number}")
    return TextIndex(stored.name, field, name, stored.table, column, schema)


def _short(name: str) -> str:
    return limited(name, len("_changed"))  # or a server would cut the names of its triggers alike


def _note(conn: Connection, settings: sa.Table, indexes: Iterable[TextIndex]) -> None:
    """Write down which indexes there are."""
    said: dict[str, dict[str, str]] = {}
    for index in indexes:
        said.setdefault(index.type_name, {})[index.field] = index.name
    conn.execute(sa.delete(settings).where(settings.c.key == TEXTS))
    text = conn.info[TEXTS] = json.dumps(said) if said else None
    if text is not None:
        conn.execute(sa.insert(settings).values(key=TEXTS, value=text))


def _make(conn: Connection, index: TextIndex) -> None:
    """Make the tables and triggers of an index, and note every text as changed."""
    changes_of(index.schema).create(conn, checkfirst=True)
    for statement in made_by(conn, index):
        conn.exec_driver_sql(statement, execution_options={"no_parameters": True})
    changes, texts = changes_of(index.schema), texts_of(index)
    query = sa.select(sa.literal(index.name), texts.c.id).where(texts.c[index.column].is_not(None))
    conn.execute(sa.insert(changes).from_select(["name", "row_id"], query))


def take_down(conn: Connection, index: TextIndex) -> None:
    """Take away the tables and triggers of an index, as far as they are there."""
    prepare = conn.dialect.identifier_preparer
    if row_of(conn).words == "fts5":
        for name in triggers_of(index.name, index.table, index.column):
            conn.exec_driver_sql(f"DROP TRIGGER IF EXISTS {sql_name(name)}")
    else:
        function = prepare.quote(index.name)
        if index.schema is not None:
            function = f"{prepare.quote(index.schema)}.{function}"
        conn.exec_driver_sql(f"DROP FUNCTION IF EXISTS {function}() CASCADE")
    try:
        conn.exec_driver_sql(f"DROP TABLE IF EXISTS {prepare.format_table(words_of(conn, index))}")
    except sa.exc.DatabaseError as err:
        if row_of(conn).words != "fts5" or not is_damage(err):
            raise
        _take_apart(conn, index)
    changes = changes_of(index.schema)
    changes.create(conn, checkfirst=True)
    conn.execute(sa.delete(changes).where(changes.c.name == index.name))


def _take_apart(conn: Connection, index: TextIndex) -> None:
    """Take an index away that FTS5 cannot open any more, by the tables in which it is kept."""
    version = conn.exec_driver_sql("PRAGMA schema_version").scalar_one()
    conn.exec_driver_sql("PRAGMA writable_schema=ON")
    try:
        conn.exec_driver_sql("DELETE FROM sqlite_master WHERE name = ?", (index.name,))
        conn.exec_driver_sql(f"PRAGMA schema_version={version + 1}")
    finally:
        conn.exec_driver_sql("PRAGMA writable_schema=RESET")
    for part in parts_of(index.name)[1:]:
        conn.exec_driver_sql(f"DROP TABLE IF EXISTS {sql_name(part)}")


def forget(
    conn: Connection, settings: sa.Table, gone: Sequence[TextIndex], there: Sequence[TextIndex]
) -> None:
    """Take some of the indexes that are there away, and what the store says of them."""
    for index in gone:
        take_down(conn, index)
    if gone:
        _note(conn, settings, [index for index in there if index not in gone])


def check_able(conn: Connection) -> None:
    """Raise StorageError if the database has no index that could be kept here."""
    if not is_able(conn):
        row = row_of(conn)
        without = row.words == "fts5"
        here = "This SQLite was built without FTS5" if without else f"On {row.title} ecsviz"
        has = ", so it has no index of words" if without else " keeps no index of words"
        raise StorageError(
            f"{here}{has}. store.search(text, cls) works without one: it reads every text."
        )


def is_able(conn: Connection) -> bool:
    """Tell whether the database has what an index needs."""
    if row_of(conn).words != "fts5":
        return row_of(conn).words is not None
    query = "SELECT count(*) FROM pragma_module_list WHERE name = 'fts5'"
    return bool(conn.exec_driver_sql(query).scalar_one())


# -- keeping ---------------------------------------------------------------------------------


def keep_in_step(conn: Connection, mapping: Mapping) -> None:
    """Work off what has changed since."""
    if not is_able(conn):  # another machine made the index: what has changed stays noted
        return
    c = changes_of(mapping.metadata.schema).c
    names = set(columns_of(conn, sa.select(c.name).distinct())[0])
    for index in indexes_in(conn, mapping):
        if index.name in names:
            with looking_up(index):
                work_off(conn, index)


def inherit(
    conn: Connection, settings: sa.Table, mapping: Mapping, fresh: Iterable[ClassMap]
) -> None:
    """Give classes that are stored for the first time the indexes of their base classes."""
    indexes = indexes_in(conn, mapping)
    wanted = [
        (known.type_name, field)
        for known in fresh
        for field in text_fields(known)
        if any(i.field == field and _is_base(mapping, known.cls, i.type_name) for i in indexes)
    ]
    if wanted and is_able(conn):
        make_indexes(conn, settings, mapping, wanted)


def _is_base(mapping: Mapping, cls: type, type_name: str) -> bool:
    """Tell whether a class derives from the one of a stored type, which need not be mapped."""
    bases = (base for base in cls.__mro__[1:] if type_name.endswith(base.__name__))
    return any(mapping.type_name(base) == type_name for base in bases)


def work_off(conn: Connection, index: TextIndex) -> None:
    """Bring the rows of an index up to date that are noted as changed.

    Notes
    -----
    Four statements for every 10,000 rows.
    """
    changes, words = changes_of(index.schema), words_of(conn, index)
    last = -(2**62)
    while True:
        of = sa.and_(changes.c.name == index.name, changes.c.row_id > last)
        query = sa.select(changes.c.row_id).where(of).order_by(changes.c.row_id).limit(BATCH)
        ids = columns_of(conn, query)[0]
        if not ids:
            return
        last = ids[-1]
        try:
            rows = read_texts(conn, index, key_condition(conn, ROW_ID, ids))
        except StoredDataInvalidError:  # what others wrote; who searches is told of it
            continue
        taken = [(row_id, folded(text)) for row_id, _, text in rows]
        conn.execute(sa.delete(words).where(key_condition(conn, words.c[0], ids)))
        late = _insert(conn, words, taken)
        done = [row_id for row_id in ids if row_id not in late]
        which = key_condition(conn, changes.c.row_id, done)
        conn.execute(sa.delete(changes).where(changes.c.name == index.name, which))


def _insert(conn: Connection, words: sa.Table, rows: list[tuple[int, str]]) -> set[int]:
    """Insert words; return the ids of rows that have more of them than the database takes."""
    if row_of(conn).words == "fts5":
        insert_rows(conn, words, list(words.c), rows)
        return set()
    late = {row_id for row_id, text in rows if len(text.encode()) > _LARGEST}
    fit = [(row_id, text, vector(text)) for row_id, text in rows if row_id not in late]
    if fit:
        ids, texts, vectors = (list(part) for part in zip(*fit, strict=True))
        statement = sa.text(
            f"INSERT INTO {conn.dialect.identifier_preparer.format_table(words)}"  # noqa: S608 - a name of ours
            " (id, words, lexemes) SELECT * FROM unnest(CAST(:ids AS bigint[]),"
            " CAST(:texts AS text[]), CAST(:vectors AS tsvector[]))"
        )
        conn.execute(statement, {"ids": ids, "texts": texts, "vectors": vectors})
    return late


def vector(words: str) -> str:
    """Return folded words as PostgreSQL writes a ``tsvector``.

    Examples
    --------
    >>> vector("a plan a")
    "'a':1,3 'plan':2"
    """
    places: dict[str, list[str]] = {}
    for place, word in enumerate(words.split(" ") if words else (), 1):
        places.setdefault(word, []).append(str(place))
    return " ".join(f"'{word}':{','.join(at[:_PLACES])}" for word, at in places.items())


def read_texts(
    conn: Connection, index: TextIndex, *conditions: Any, limit: int | None = None
) -> list[tuple[int, Any, str]]:
    """Return row id, ecs_id and text of the rows that fit, in the order of the row ids.

    Notes
    -----
    Texts as they were stored, also those of which the column holds only a stand-in.
    """
    texts = texts_of(index)
    column = texts.c[index.column]
    query = sa.select(texts.c.id, texts.c.ecs_id, column, texts.c.ecs_exact)
    query = query.where(column.is_not(None), *conditions).order_by(texts.c.id).limit(limit)
    ids, ecs_ids, held, beside = columns_of(conn, query)
    exact = exact_by_field(index.table, ids, beside).get(index.field, {})
    try:
        values = TextCodec().values(held, exact)
    except Refused as refused:
        raise invalid(index.table, "ecs_exact", ids[refused.row], refused.why) from refused
    return list(zip(ids, ecs_ids, values, strict=True))
