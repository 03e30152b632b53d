"""The cells of a frame → the values of a field: what is missing, and what is written otherwise."""

from __future__ import annotations

import copy
import enum
from collections.abc import Callable
from typing import Any

from pydantic import JsonValue, TypeAdapter, ValidationError

from ecsviz.domain.annotations import concrete
from ecsviz.domain.fields import complete_fields, union_members
from ecsviz.frames.columns import is_nan
from ecsviz.values.codecs import AdaptedCodec, Codec, FloatCodec, JsonCodec, Refused
from ecsviz.values.column_codecs import ConvertedCodec
from ecsviz.values.field_codecs import codec_of


class FieldValues:
    """How cells become values of one field.

    Parameters
    ----------
    cls, name
        The field.

    Attributes
    ----------
    optional
        Whether the field may be None.
    """

    def __init__(self, cls: Any, name: str) -> None:
        self.codec, self.optional = codec_of(cls, name)
        self.annotation = concrete(complete_fields(cls)[name].annotation, cls)
        kinds = set(map(_hashable, union_members(self.annotation)))
        self.takes_nan = isinstance(self.codec, FloatCodec) or bool(kinds & _WITH_NAN)
        self._takes_text: Callable[[str], bool] | None = None

    def values(self, cells: list[Any], *, of_floats: bool, strict: bool) -> list[Any]:
        """Return the values of cells; None for what is missing.

        Parameters
        ----------
        cells
            From ``ecsviz.frames.columns.python_values``.
        of_floats
            Whether the column's dtype is one of floats, where NaN may stand for None.
        strict
            Whether a value of another type is refused, or left for pydantic to convert.

        Raises
        ------
        Refused
            For the first value of another type, if `strict`.
        """
        if any(map(is_nan, cells)):
            keeps = self.takes_nan and not (self.optional and of_floats)
            cells = [None if is_nan(cell) and not keeps else cell for cell in cells]
        if isinstance(self.codec, JsonCodec):
            cells = copy.deepcopy([self._from_json(cell) for cell in cells])
        elif of_floats and not self.takes_nan:
            # pandas turns integers into floats where one is missing.
            cells = [_as_integer(cell) for cell in cells]
        try:
            self.codec.check(cells)
        except Refused:
            return [self._fitted(cell, row, strict) for row, cell in enumerate(cells)]
        return cells

    def _from_json(self, cell: Any) -> Any:
        """Return what a JSON text stands for, where the field does not take texts."""
        if type(cell) is not str or self._is_text(cell):
            return cell
        assert isinstance(self.codec, JsonCodec)
        try:
            return self.codec.read(cell)
        except Refused:
            return cell

    def _is_text(self, cell: str) -> bool:
        if self._takes_text is None:
            validate = TypeAdapter(self.annotation).validate_python

            def takes(text: str) -> bool:
                try:
                    validate(text, strict=True)
                except ValidationError:
                    return False
                return True

            self._takes_text = takes
        return self._takes_text(cell)

    def _fitted(self, cell: Any, row: int, strict: bool) -> Any:
        refused = None
        for attempt in (_as_it_is, _decoded, self._member, _from_plain):
            try:
                value = attempt(self.codec, cell)
                self.codec.check([value])
            except Refused as err:
                refused = refused or err
                continue
            return value
        if not strict or refused is None:
            return cell
        raise Refused(row, cell, refused.why) from refused.__cause__

    def _member(self, _: Codec, cell: Any) -> Any:
        """Return the member of an enum that has a value."""
        for kind in union_members(self.annotation):
            if isinstance(kind, type) and issubclass(kind, enum.Enum):
                try:
                    return kind(cell)
                except (ValueError, TypeError):
                    continue
        return cell


class KeyValues(FieldValues):
    """How cells become the keys of a dictionary of entities."""

    def __init__(self, codec: Codec, annotation: Any) -> None:
        self.codec, self.optional, self.annotation = codec, False, annotation
        self.takes_nan = isinstance(codec, FloatCodec)
        self._takes_text = None

    def key(self, cell: Any) -> Any:
        """Return the key that a cell stands for.

        Raises
        ------
        Refused
            If it is of another type, or missing where the key cannot be None.
        """
        if cell is None and type(None) not in union_members(self.annotation):
            raise Refused(0, cell, "is missing")
        return self.values([cell], of_floats=False, strict=True)[0]


def _as_it_is(_: Codec, cell: Any) -> Any:
    return cell


def _decoded(codec: Codec, cell: Any) -> Any:
    """Enums by value or name, paths and addresses by their text."""
    # Not for others: what a column holds of a duration, say, is not what a user would write.
    return codec.decode([cell])[0] if isinstance(codec, (ConvertedCodec, AdaptedCodec)) else cell


def _from_plain(codec: Codec, cell: Any) -> Any:
    """Models and dataclasses from dictionaries."""
    return codec.value(cell, 0) if isinstance(codec, JsonCodec) else cell


def _as_integer(cell: Any) -> Any:
    return int(cell) if type(cell) is float and cell.is_integer() else cell


def _hashable(kind: Any) -> Any:
    try:
        hash(kind)
    except TypeError:
        return None
    return kind


_WITH_NAN = frozenset({float, Any, object, JsonValue})
