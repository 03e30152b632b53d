"""Which tables a class gives, before there is any store: `tables_of`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from ecsviz.basics.html import Child, block, element, table
from ecsviz.basics.views import view
from ecsviz.errors import InvalidArgumentError, did_you_mean, short_repr
from ecsviz.graph.arrays import as_roots, parts_of_classes
from ecsviz.storage.relational.schema.class_maps import ClassMap
from ecsviz.storage.relational.schema.said import says_of
from ecsviz.storage.relational.schema.system_columns import NAMING
from ecsviz.storage.relational.store import SQLAlchemyEntityStorage

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

DIALECTS: Final[dict[str, type[Dialect]]] = {
    "sqlite": sqlite.dialect,
    "postgresql": postgresql.dialect,
}
COLUMNS: Final = ("table", "column", "type", "required", "refers to", "class", "says")


class ClassTables:
    """The tables that entity classes give, and what each of their columns says.

    Attributes
    ----------
    classes
        The classes, with those that they refer to.
    metadata
        The tables, as SQLAlchemy has them.
    dialect
        ``"sqlite"`` or ``"postgresql"``.
    notes
        Which lists need no table, since back-references say the same.

    Examples
    --------
    >>> import ecsviz as ev
    >>> tables = ev.tables_of(ev.ChatThread)
    >>> tables
    ClassTables(chat_threads, chat_messages)
    >>> tables.notes[0]
    'ChatThread.messages needs no table: ChatMessage.thread says it, and thread_position its order.'
    """

    def __init__(self, maps: list[ClassMap], dialect: str) -> None:
        self.dialect = dialect
        self.classes = [known.cls for known in maps]
        self.metadata = sa.MetaData(naming_convention=NAMING)
        self._tables = [each for known in maps for each in known.tables]
        for each in self._tables:  # copies, whose constraints stand in any order
            each.to_metadata(self.metadata)
        places = {
            ref.plan.place: ref.position.name
            for known in maps
            for ref in known.singles
            if ref.position is not None
        }
        self.notes = [
            f"{item.plan.place} needs no table: {item.back.place} says it, and"
            f" {places[item.back.place]} its order."
            for known in maps
            for item in known.inverse_lists
        ]
        self._rows = [row for known in maps for row in _rows_of(known, DIALECTS[dialect]())]

    def frame(self) -> pd.DataFrame:
        """Return the columns as a DataFrame, one row each.

        Returns
        -------
        DataFrame
            Columns ``table``, ``column``, ``type`` (as the database calls it), ``required``
            (bool), ``refers to`` (``"chat_threads.id"``, or empty), ``class`` and ``says``: which
            field, or what of the entity, it holds.

        Examples
        --------
        >>> import ecsviz as ev
        >>> frame = ev.tables_of(ev.ChatMessage).frame().set_index(["table", "column"])
        >>> frame.loc[("chat_messages", "thread_id"), ["type", "refers to", "says"]].tolist()
        ['INTEGER', 'chat_threads.id', 'thread']
        """
        import pandas as pd

        return pd.DataFrame(self._rows, columns=list(COLUMNS)).astype({"required": bool})

    def sql(self) -> str:
        """Return the statements that make the tables, and then their indexes.

        Examples
        --------
        >>> import ecsviz as ev
        >>> print(ev.tables_of(ev.ChatThread, dialect="postgresql").sql()[:49])
        CREATE TABLE chat_threads (
            id BIGSERIAL NOT
        """
        dialect = DIALECTS[self.dialect]()
        made = [str(CreateTable(each).compile(dialect=dialect)) for each in self._tables]
        indexes = [
            index
            for each in self._tables
            for index in sorted(each.indexes, key=lambda i: str(i.name))
        ]
        made += [str(CreateIndex(index).compile(dialect=dialect)) for index in indexes]
        texts = ["\n".join(line.rstrip() for line in text.strip().splitlines()) for text in made]
        return ";\n\n".join(text.replace("\t", "    ") for text in texts) + ";\n"

    @view
    def draw(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the tables with their columns and keys; see ``ecsviz.draw.draw_schema``."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"ClassTables({', '.join(self.metadata.tables)})"

    def _repr_html_(self) -> str:
        children: list[Child] = []
        for name in self.metadata.tables:
            rows = [
                (column, kind, "yes" if required else "no", refers or None, says)
                for at, column, kind, required, refers, _, says in self._rows
                if at == name
            ]
            heads = ("column", "type", "required", "refers to", "says")
            children.append(table(heads, rows, caption=name))
        children += [element("p", note, look="note") for note in self.notes]
        return str(block(*children))


def tables_of(classes: Any, *, dialect: str = "sqlite") -> ClassTables:
    """Return which tables entity classes give, before there is any store.

    Parameters
    ----------
    classes
        One entity class, or several. Those that they refer to come with them.
    dialect
        ``"sqlite"`` or ``"postgresql"``: how types are called.

    Returns
    -------
    ClassTables
        Shows itself as tables; ``frame()`` has a row a column, ``sql()`` is the text of SQL,
        ``draw()`` the picture.

    Raises
    ------
    NotAnEntityError
        If something else than entity classes is given.
    UnsupportedFieldError
        If a class cannot be mapped.
    InvalidArgumentError
        If there is no such dialect.

    Notes
    -----
    A store makes a table of what was superseded beside each, ``chat_threads_history``, and its
    own, whose names begin with ``ecs_``. O(classes + fields).

    Examples
    --------
    >>> import ecsviz as ev
    >>> frame = ev.tables_of(ev.samples.Node).frame().set_index("table")
    >>> frame.loc["node_links", ["column", "refers to"]].values.tolist()[-1]
    ['target_node_id', 'nodes.id']
    """
    asked: Any = dialect
    if not isinstance(asked, str) or asked not in DIALECTS:
        raise InvalidArgumentError(
            f"There is no dialect {short_repr(asked)}.{did_you_mean(asked, DIALECTS)}",
            argument="dialect",
            value=asked,
        )
    every = parts_of_classes(as_roots(classes)).nodes
    with (
        SQLAlchemyEntityStorage(":memory:") as store,
        store.inside.reading() as (_, catalog),
    ):
        return ClassTables(catalog.mapping.map_classes(every), dialect)


def _rows_of(known: ClassMap, dialect: Dialect) -> Iterator[tuple[Any, ...]]:
    """Yield what `COLUMNS` names, of all columns of a class."""
    says = says_of(known)
    for each in known.tables:
        for column in each.columns:
            keys = [key.target_fullname for key in column.foreign_keys]
            kind = column.type.compile(dialect=dialect)
            said = says.get(column, "")
            to, cls = keys[0] if keys else "", known.cls.__name__
            yield each.name, column.name, kind, not column.nullable, to, cls, said
