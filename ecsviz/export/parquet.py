"""Graphs as Parquet files and back, in the layout that GraphFrames and its like expect."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from ecsviz.basics.addresses import short_path
from ecsviz.basics.files import local_folder, writing
from ecsviz.basics.optional import need
from ecsviz.basics.result_frames import objects
from ecsviz.errors import ImportFormatError, InvalidArgumentError, ValueNotStorableError, short_repr
from ecsviz.frames.columns import column_of, python_values
from ecsviz.frames.to_frames import to_frames
from ecsviz.values.codecs import to_plain
from ecsviz.values.tagged_json import from_json, json_text, to_json

if TYPE_CHECKING:
    import pandas as pd

VERTICES: Final = "vertices.parquet"
EDGES: Final = "edges.parquet"
_OUT: Final = {
    VERTICES: {"ecs_id": "id"},
    EDGES: {"source": "src", "target": "dst", "field": "relationship"},
}
"""What our columns are called in the files."""
_NAME, _KIND = b"ecsviz.name", b"ecsviz.kind"


def to_parquet(graph: Any, folder: str | os.PathLike[str]) -> Path:
    """Write a graph of entities as two Parquet files.

    Parameters
    ----------
    graph
        As for `ecsviz.to_frames`; or the two frames themselves.
    folder
        Where to; it is made where it is missing. ``vertices.parquet`` and ``edges.parquet`` in
        it are replaced.

    Returns
    -------
    Path
        The folder. The columns of ``vertices`` are those of `ecsviz.to_frames`, with ``id`` for
        ``ecs_id``; ``edges`` has ``src``, ``dst``, ``relationship`` (the field), ``position``
        and ``key``. UUIDs are texts; what Parquet has no type for is JSON, as in
        ``{"$decimal": "1.10"}``. A field called ``id`` is called ``id_`` in the file.

    Raises
    ------
    NotInstalledError
        Without pyarrow (``pip install 'ecsviz[parquet]'``).
    ValueNotStorableError, UnsupportedFieldError
        As `ecsviz.to_frames`.

    See Also
    --------
    read_parquet : the way back.

    Notes
    -----
    Nothing is pickled. O(entities + references).

    Examples
    --------
    >>> import ecsviz as ev, tempfile
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = to_parquet(thread, folder)
    ...     again = ev.from_frames(*read_parquet(folder))
    >>> again[0].title, again[0].messages[0].thread is again[0]
    ('Cycles', True)
    """
    arrow = need("pyarrow", extra="parquet", what="Parquet")
    parquet = need("pyarrow.parquet", extra="parquet", what="Parquet")
    place = local_folder(folder)
    nodes, references = _frames(graph)
    frames = {VERTICES: nodes, EDGES: references}
    tables = {name: _table(arrow, frame, _OUT[name]) for name, frame in frames.items()}
    with writing(place):
        place.mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            with (place / name).open("wb") as file:  # pyarrow takes a:b for an address
                parquet.write_table(table, file, write_page_checksum=True)
    return place


def read_parquet(folder: str | os.PathLike[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read what `to_parquet` wrote.

    Parameters
    ----------
    folder
        Which holds ``vertices.parquet`` and ``edges.parquet``.

    Returns
    -------
    nodes, references : DataFrame
        For `ecsviz.from_frames`. Enums and models are there as plain values, which it turns
        back into what they were.

    Raises
    ------
    ImportFormatError
        If a file is missing, or is none of Parquet.
    NotInstalledError
        Without pyarrow.

    Notes
    -----
    Files of other programs are read too, as long as they have these columns. Nothing is
    unpickled, and no class is needed. O(rows).
    """
    parquet = need("pyarrow.parquet", extra="parquet", what="Parquet")
    nodes, references = (_frame(parquet, local_folder(folder) / name) for name in (VERTICES, EDGES))
    return nodes, references


# -- out -------------------------------------------------------------------------------------


def _frames(given: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    import pandas as pd

    are = [isinstance(one, pd.DataFrame) for one in given] if isinstance(given, tuple) else []
    if not any(are):
        return to_frames(given)
    if are != [True, True]:
        raise InvalidArgumentError(
            f"graph is {short_repr(given)}. Give a graph, entities, or the two DataFrames that"
            " ev.to_frames returned.",
            value=given,
        )
    nodes, references = given
    return nodes, references


def _table(arrow: Any, frame: pd.DataFrame, out: dict[str, str]) -> Any:
    fields, arrays = [], []
    taken = set(out.values())
    for column in frame.columns:
        name = str(column)
        shown = out.get(name, name)
        while name not in out and shown in taken:  # a field that is called id
            shown += "_"
        taken.add(shown)
        kind, array = _array(arrow, name, frame[column])
        metadata = {_NAME: name.encode(), _KIND: kind.encode()}
        fields.append(arrow.field(shown, array.type, metadata=metadata))
        arrays.append(array)
    return arrow.Table.from_arrays(arrays, schema=arrow.schema(fields))


def _array(arrow: Any, name: str, column: pd.Series[Any]) -> tuple[str, Any]:
    """Return what a column is, and its values for Arrow."""
    dtype = str(column.dtype)
    if dtype in _NATIVE:
        kind = arrow.timestamp("us", "UTC") if dtype.endswith("UTC]") else _NATIVE[dtype]
        return dtype, arrow.array(column, type=_type(arrow, kind), from_pandas=True)
    values = python_values(column)
    if dtype == "category":
        return dtype, arrow.array(values, type=arrow.string())
    kinds = {type(value) for value in values if value is not None}
    if kinds == {UUID}:
        texts = [None if value is None else str(value) for value in values]
        return "uuid", arrow.array(texts, type=arrow.string())
    if kinds in ({bytes}, {date}):
        is_bytes = kinds == {bytes}
        return "object", arrow.array(values, type=arrow.binary() if is_bytes else arrow.date32())
    texts = []
    for row, value in enumerate(values):
        try:
            texts.append(None if value is None else json_text(_data(value)))
        except Exception as err:
            raise ValueNotStorableError(
                f"nodes.iloc[{row}], column {name!r}: JSON has no place for a"
                f" {type(value).__name__}. Drop the column, or make it a text.",
                row=row,
                column=name,
            ) from err
    return "json", arrow.array(texts, type=arrow.string())


def _data(value: Any) -> Any:
    try:
        return to_json(value)
    except ValueError:  # it holds models, enums, …
        return to_json(to_plain(value))


_NATIVE: Final = {
    "str": "string",
    "int64": "int64",
    "Int64": "int64",
    "bool": "bool_",
    "boolean": "bool_",
    "float64": "float64",
    "datetime64[us, UTC]": "timestamp",
    "datetime64[us]": "timestamp",
}


def _type(arrow: Any, kind: Any) -> Any:
    if not isinstance(kind, str):
        return kind
    return arrow.timestamp("us") if kind == "timestamp" else getattr(arrow, kind)()


# -- in --------------------------------------------------------------------------------------


def _frame(parquet: Any, path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        # Not through the dataset reader, which would take folder names for columns.
        with path.open("rb") as file:
            table = parquet.ParquetFile(file, page_checksum_verification=True).read()
    except OSError as err:
        raise ImportFormatError(
            f"{short_path(path)} cannot be read ({err.strerror or err})."
            " Give the folder that to_parquet() wrote.",
            source=str(path),
        ) from err
    except ValueError as err:  # ArrowInvalid is one
        raise ImportFormatError(
            f"{short_path(path)} is no Parquet file, or is damaged.", source=str(path)
        ) from err
    back = {shown: name for name, shown in _OUT[path.name].items()}
    result = {}
    for field, array in zip(table.schema, table.columns, strict=True):
        known = field.metadata or {}
        name = known.get(_NAME, back.get(field.name, field.name).encode()).decode()
        values = array.to_pylist()
        kind = known.get(_KIND, b"").decode()
        try:
            result[name] = _READ.get(kind, _native(kind))(values)
        except (ValueError, TypeError, LookupError, RecursionError) as err:
            raise ImportFormatError(
                f"{path.name}: the column {field.name!r} does not hold what it says it does"
                f" ({kind}). Write the file anew.",
                source=str(path),
                column=field.name,
            ) from err
    return pd.DataFrame(result, index=pd.RangeIndex(table.num_rows))


def _native(kind: str) -> Callable[[list[Any]], pd.Series[Any]]:
    def read(values: list[Any]) -> pd.Series[Any]:
        import pandas as pd

        if kind in _NATIVE:
            return pd.Series(values, dtype=kind)
        return column_of(values, optional=True)  # written by another program

    return read


def _objects(values: list[Any]) -> pd.Series[Any]:
    import pandas as pd

    return pd.Series(objects(values), dtype=object)


def _categories(values: list[Any]) -> pd.Series[Any]:
    import pandas as pd

    return pd.Series(pd.Categorical(values, sorted({v for v in values if v is not None})))


def _uuids(values: list[Any]) -> pd.Series[Any]:
    return _objects([None if value is None else UUID(value) for value in values])


def _from_texts(values: list[Any]) -> pd.Series[Any]:
    return _objects([None if value is None else from_json(json.loads(value)) for value in values])


_READ: Final[dict[str, Callable[[list[Any]], pd.Series[Any]]]] = {
    "category": _categories,
    "uuid": _uuids,
    "json": _from_texts,
    "object": _objects,
}
