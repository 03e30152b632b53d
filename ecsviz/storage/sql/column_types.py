"""The types of columns: by what a codec calls them; JSON comes as its field has the value."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.sql import operators
from typing_extensions import override

from ecsviz.errors import StoredDataInvalidError, ValueNotStorableError
from ecsviz.storage.sql.dialects import SQLITE, row_of
from ecsviz.values.codecs import JsonCodec
from ecsviz.values.column_codecs import Codec, Refused

JSON: sa.types.TypeEngine[Any] = sa.JSON(none_as_null=True).with_variant(sa.Text(), SQLITE.name)
"""JSON columns. SQLite would take a column declared as JSON for a numeric one and turn the text
``1.0`` into the integer 1."""

_TYPES: Final[dict[str, sa.types.TypeEngine[Any]]] = {
    "BIGINT": sa.BigInteger(),
    "BLOB": sa.LargeBinary(),
    "BOOLEAN": sa.Boolean(),
    "CHAR(32)": sa.Uuid(),
    "DATE": sa.Date(),
    "DATETIME": sa.DateTime(),
    "DOUBLE": sa.Double(),
    "NUMERIC": sa.Numeric().with_variant(sa.Double(), SQLITE.name),
    "TEXT": sa.Text(),
    "TIME": sa.Time(),
}
"""By what a codec, and a store, calls it."""


def column_type(codec: Codec) -> sa.types.TypeEngine[Any]:
    """Return the type of a column that holds the values of a codec.

    Examples
    --------
    >>> from ecsviz.values.codecs import codec_for
    >>> column_type(codec_for(int)[0]), column_type(codec_for(list[int])[0])
    (BigInteger(), JsonColumn(none_as_null=True))
    """
    return JsonColumn(codec) if isinstance(codec, JsonCodec) else _TYPES[codec.sql_name]


class _Comparator(sa.TypeDecorator.Comparator[Any], sa.JSON.Comparator[Any]):
    """Compares by the text, which is the same for the same value; looks inside as into any JSON."""

    @override
    def __getitem__(self, index: Any) -> Any:
        # A part of a value is no value of the field: it comes as the database gives it.
        return sa.type_coerce(self.expr, JSON)[index]

    @override
    def operate(self, op: Any, *other: Any, **options: Any) -> Any:
        kind: Any = self.expr.type
        text = sa.cast(self.expr, sa.Text())
        if op in (operators.eq, operators.ne) and other[0] is not None:
            return op(text, kind.as_text(other[0]))
        if op in (operators.in_op, operators.not_in_op) and _is_plain_list(other[0]):
            return op(text, [kind.as_text(value) for value in other[0]], **options)
        return super().operate(op, *other, **options)


def _is_plain_list(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, sa.ClauseElement)


class JsonColumn(sa.TypeDecorator[Any]):
    """JSON in the database, the field's values in Python.

    Parameters
    ----------
    codec
        What writes and reads the values of the field.

    Notes
    -----
    This package writes and reads such columns by its codecs, without this type.
    """

    impl = sa.JSON
    cache_ok = True
    comparator_factory = _Comparator

    def __init__(self, codec: JsonCodec) -> None:
        super().__init__(none_as_null=True)
        self.codec = codec

    @override
    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(JSON if row_of(dialect).has_json else sa.Text())

    def as_text(self, value: Any) -> Any:
        """Return a value, or another column, as a text to compare with."""
        if isinstance(value, sa.ClauseElement) or hasattr(value, "__clause_element__"):
            return sa.cast(value, sa.Text())
        return self._write(value)

    def _write(self, value: Any) -> str:
        try:
            return self.codec.write(value)
        except Refused as refused:
            raise ValueNotStorableError(
                f"A value for a JSON column {refused.why}. Give it as the entity's field has it.",
                value_type=type(value).__name__,
            ) from refused.__cause__

    @override
    def bind_processor(self, dialect: sa.Dialect) -> Callable[[Any], str | None]:
        # The text itself: a driver that is given data writes them with spaces.
        return lambda value: None if value is None else self._write(value)

    @override
    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:
        if value is None:
            return None
        try:
            return self.codec.read(value)
        except Refused as refused:
            raise StoredDataInvalidError(
                f"A JSON column holds what {refused.why}. It was changed outside ecsviz;"
                " store.verify() tells the row."
            ) from refused.__cause__
