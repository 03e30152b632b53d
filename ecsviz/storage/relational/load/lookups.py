"""One column compared with a value: what SQL tells by itself, and which rows Python has to look at.

A column may hold only a stand-in for a value (the nearest 64-bit integer, a text without its NUL, a
time without its offset). Where that could tell otherwise than the value itself, the rows in doubt
are read, and compared as `criteria.fitting` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.storage.criteria import FOLDED, ORDERED, OWN, TEXTS, fitting, has_offset
from ecsviz.storage.relational.schema.mapping import ClassMap
from ecsviz.storage.sql.dialects import row_of
from ecsviz.storage.sql.driver_values import exact_by_field
from ecsviz.storage.sql.statements import CHUNK, columns_of, key_condition
from ecsviz.values.codecs import JsonCodec, decoded
from ecsviz.values.column_codecs import (
    INTEGERS,
    Codec,
    DatetimeCodec,
    DecimalCodec,
    FloatCodec,
    IntCodec,
    TextCodec,
    TimeCodec,
    TimedeltaCodec,
)

Told = tuple[Any, Any]
"""What SQL tells, and which rows are in doubt whatever it tells; None for none."""

TEXT: Final = TextCodec()
MANY: Final = 50
"""With how many values of which a column may hold stand-ins one statement compares it."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A column that is compared.

    Attributes
    ----------
    name, codec
        The field, and the codec of its values.
    """

    conn: Connection
    known: ClassMap
    name: str
    column: Any
    codec: Codec

    def condition(self, lookup: str, wanted: Any) -> Any:
        """Return the condition that a row fits; it may take a statement to find the rows in doubt.

        Parameters
        ----------
        lookup, wanted
            As in a `Criterion` that was checked.
        """
        if lookup == "ne" or (lookup == "isnull" and not wanted):
            inner = ("eq", wanted) if lookup == "ne" else ("isnull", True)
            return sa.not_(sa.func.coalesce(self.condition(*inner), sa.false()))
        told, doubt = self._told(lookup, wanted)
        if doubt is None:
            return told
        doubt = sa.func.coalesce(doubt, sa.false())
        ids = self._confirmed(doubt, lookup, wanted)
        sure = sa.and_(told, sa.not_(doubt))
        return sa.or_(sure, key_condition(self.conn, self.known.table.c.id, ids)) if ids else sure

    def _confirmed(self, doubt: Any, lookup: str, wanted: Any) -> list[int]:
        """Return the ids of the rows in doubt that fit."""
        table = self.known.table
        query = sa.select(table.c.id, self.column.label("v"), table.c.ecs_exact).where(doubt)
        rows, stored, texts = columns_of(self.conn, query)
        exact = exact_by_field(table.name, rows, texts).get(self.name, {})
        values = decoded(self.codec, stored, (table.name, self.column.name), rows, exact)
        fits = fitting(self.codec, values, lookup, wanted)
        return [row for row, is_so in zip(rows, fits, strict=True) if is_so]

    def noted(self, pattern: str = "") -> Any:
        """Return the condition that rows have a value of the field beside its column."""
        return noted(self.known, self.name, pattern)

    # -- what SQL tells ----------------------------------------------------------------------

    def _told(self, lookup: str, wanted: Any) -> Told:
        if lookup == "isnull" or (lookup == "eq" and wanted is None):
            nothing = self.column.is_(None)
            return nothing, nothing & self.noted() if self.codec.always_nullable else None
        if lookup == "in":
            return self._told_of_several(wanted)
        inner = innermost(self.codec)
        if lookup in TEXTS or lookup in FOLDED:
            return self._told_of_part(lookup, wanted)
        return _told_by(inner)(self, lookup, written(self.codec, wanted), inner)

    def literal(self, value: Any) -> Any:
        """Return a value for SQL, as the column has it."""
        kind = self.column.type
        return sa.literal(value, sa.BigInteger() if isinstance(kind, sa.Integer) else kind)

    def compare(self, lookup: str, stored: Any) -> Any:
        """Compare the column with what a column can hold."""
        column = self.column
        if lookup in ORDERED and isinstance(column.type, sa.String):
            column = by_code_point(self.conn, column)
        value = self.literal(stored)
        return column == value if lookup == "eq" else ORDERED[lookup](column, value)

    def _told_of_several(self, wanted: Sequence[Any]) -> Told:
        told: list[Told] = [self._told("eq", None)] if None in wanted else []
        inner, values = innermost(self.codec), [value for value in wanted if value is not None]
        values = [written(self.codec, value) for value in values]
        stored, exact = inner.encode(values)
        sure = [n not in exact and _tells(inner, each) for n, each in enumerate(stored)]
        unsure = [value for value, is_sure in zip(values, sure, strict=True) if not is_sure]
        if len(unsure) > MANY:
            return sa.false(), sa.true()
        told += [_told_by(inner)(self, "eq", value, inner) for value in unsure]
        of_column = [each for each, is_sure in zip(stored, sure, strict=True) if is_sure]
        if of_column:
            told.append((self._one_of(list(dict.fromkeys(of_column))), None))
        return _any_of(told)

    def _one_of(self, stored: list[Any]) -> Any:
        column, kind = self.column, self.column.type
        if isinstance(self.codec, JsonCodec):
            column = sa.cast(column, sa.Text())
        elif isinstance(kind, sa.Integer):
            column = sa.type_coerce(column, sa.BigInteger())
        elif row_of(self.conn).keys_as == "json" and isinstance(kind, (sa.LargeBinary, sa.Numeric)):
            # JSON has no bytes, and not every float as it is.
            parts = (stored[n : n + CHUNK] for n in range(0, len(stored), CHUNK))
            return sa.or_(*(column.in_(part) for part in parts))
        return key_condition(self.conn, column, stored)

    def _told_of_part(self, lookup: str, wanted: str) -> Told:
        """Tell of texts that hold, begin or end with a part."""
        folded = lookup in FOLDED
        part = wanted.casefold() if folded else wanted
        (stand_in,), exact = TEXT.encode([part])
        column, plain = self.column, sa.false()
        if folded:  # of other letters than ASCII, databases know less than Python
            column, plain = sa.func.lower(by_code_point(self.conn, column)), _not_ascii(self)
        found = _PARTS[FOLDED.get(lookup, lookup)](self.conn, column, stand_in)
        told = sa.false() if exact else found
        if folded:
            return told, plain | (self.noted() & found)
        return told, self.noted() & found if exact or not _tells(TEXT, stand_in) else None


def innermost(codec: Codec) -> Codec:
    """Return the codec that writes the column: of enums, paths and URLs, that of plain values."""
    while (inner := getattr(codec, "inner", None)) is not None:
        codec = inner
    return codec


def written(codec: Codec, value: Any) -> Any:
    """Return a value as `innermost` takes it."""
    return value if innermost(codec) is codec else codec.order([value])[0]


def _tells(codec: Codec, stored: Any) -> bool:
    """Tell whether what a column holds stands for no other value, as far as order goes."""
    if isinstance(codec, TextCodec):
        return "?" not in stored and "\ufffd" not in stored
    if isinstance(codec, (IntCodec, TimedeltaCodec)):
        return stored not in INTEGERS
    if isinstance(codec, FloatCodec):
        return stored is not None and abs(stored) < 2.0**53
    return not isinstance(codec, (DecimalCodec, DatetimeCodec, TimeCodec))


def _any_of(told: list[Told]) -> Told:
    doubts = [doubt for _, doubt in told if doubt is not None]
    return sa.or_(sa.false(), *(each for each, _ in told)), sa.or_(*doubts) if doubts else None


def noted(known: ClassMap, name: str, pattern: str = "") -> Any:
    """Return the condition that rows have a value of a field beside its column.

    Notes
    -----
    It may hold for a few rows more: for them, the longer way is taken in vain.
    """
    beside = known.table.c.ecs_exact
    if not name.isascii():  # which JSON may have escaped
        return beside.is_not(None)
    field = name.replace("_", "/_")
    return sa.and_(beside.is_not(None), beside.like(f'%"{field}":{pattern}%', escape="/"))


def by_code_point(conn: Connection, column: Any) -> Any:
    """Return a column of texts that is ordered, and folded, by code point as in SQLite."""
    collation = row_of(conn).code_points
    return column if collation is None else sa.collate(column, collation)


# -- by the codec of the column --------------------------------------------------------------


def _plain(at: Compared, lookup: str, wanted: Any, codec: Codec) -> Told:
    """Tell of what the column holds as it is."""
    return at.compare(lookup, codec.encode([wanted])[0][0]), None


def _json(at: Compared, lookup: str, wanted: Any, codec: Codec) -> Told:  # noqa: ARG001 - always eq
    text = codec.encode([wanted])[0][0]  # which is the same for the same value
    return sa.cast(at.column, sa.Text()) == text, None


def _text(at: Compared, lookup: str, wanted: Any, codec: Codec) -> Told:
    (stand_in,), exact = codec.encode([wanted])
    if lookup == "eq":
        same = at.compare("eq", stand_in)
        doubt = at.noted() & same if exact or not _tells(codec, stand_in) else None
        return sa.false() if exact else same, doubt
    if exact:
        return sa.false(), at.column.is_not(None)
    return at.compare(lookup, stand_in), at.noted()


def _time(at: Compared, lookup: str, wanted: Any, codec: Codec) -> Told:
    (stand_in,), _ = codec.encode([wanted])
    if has_offset(wanted):  # which a column does not tell
        return sa.false(), at.noted() if lookup == "eq" else at.column.is_not(None)
    return at.compare(lookup, stand_in), at.noted()


def _number(at: Compared, lookup: str, wanted: Any, codec: Codec) -> Told:
    """Tell of what stands in the order of its values: numbers, durations, points in time.

    Notes
    -----
    Two values that are not told apart by their columns stand side by side. So only rows with the
    very stand-in of the value are in doubt, and those beyond all that a column holds.
    """
    (stand_in,), _ = codec.encode([wanted])
    (limit,) = codec.order([wanted])
    beyond = at.column.is_(None) & at.noted()
    if lookup in ORDERED and limit is None:
        return sa.false(), None  # NaN is neither more nor less than anything
    if stand_in is None:
        if lookup == "eq":
            return sa.false(), beyond
        is_more = limit > 0
        all_fit = is_more == (lookup in ("lt", "le"))
        return at.column.is_not(None) if all_fit else sa.false(), beyond
    here = at.compare("eq", stand_in)
    (there,) = codec.order(codec.decode([stand_in]))
    if isinstance(codec, DatetimeCodec) and lookup == "eq":
        # A column does not tell whether there is an offset: what is not noted has one.
        is_told = has_offset(wanted) and there == limit
        return here if is_told else sa.false(), at.noted() & here
    is_sure = at.name in OWN or _tells(codec, stand_in)
    doubt = None if is_sure else codec.unsure(at.column, at.noted) & here
    if lookup == "eq":
        return here if there == limit else sa.false(), doubt
    if isinstance(codec, DecimalCodec):
        doubt = beyond if doubt is None else doubt | beyond
    if there != limit:  # the value lies beside its stand-in
        lookup = (_BELOW if there < limit else _ABOVE)[lookup]
    return at.compare(lookup, stand_in), doubt


_BELOW: Final = {"lt": "le", "le": "le", "gt": "gt", "ge": "gt"}
_ABOVE: Final = {"lt": "lt", "le": "lt", "gt": "ge", "ge": "ge"}
"""How to compare with a stand-in that is smaller, or larger, than the value."""


_TOLD: Final[Mapping[type, Callable[[Compared, str, Any, Any], Told]]] = {
    TextCodec: _text,
    TimeCodec: _time,
    JsonCodec: _json,
    IntCodec: _number,
    FloatCodec: _number,
    DecimalCodec: _number,
    DatetimeCodec: _number,
    TimedeltaCodec: _number,
}


def _told_by(codec: Codec) -> Callable[[Compared, str, Any, Any], Told]:
    return _TOLD.get(type(codec), _plain)


# -- parts of texts --------------------------------------------------------------------------


def _contains(conn: Connection, column: Any, part: str) -> Any:
    find = getattr(sa.func, row_of(conn).position)
    return find(column, sa.literal(part, sa.Text())) > 0


def _starts(conn: Connection, column: Any, part: str) -> Any:  # noqa: ARG001 - one of `_PARTS`
    return sa.func.substr(column, 1, len(part)) == sa.literal(part, sa.Text())


def _ends(conn: Connection, column: Any, part: str) -> Any:
    if not part:
        return column.is_not(None)
    size, backwards = len(part), row_of(conn).counts_from_end
    end = sa.func.substr(column, -size) if backwards else sa.func.right(column, size)
    return end == sa.literal(part, sa.Text())


_PARTS: Final = {"contains": _contains, "startswith": _starts, "endswith": _ends}


def _not_ascii(at: Compared) -> Any:
    if row_of(at.conn).is_sqlite:
        return sa.func.length(sa.cast(at.column, sa.LargeBinary())) != sa.func.length(at.column)
    return sa.func.octet_length(at.column) != sa.func.char_length(at.column)
