"""What users of SQLAlchemy look at: the engine, sessions, declarative models, tables."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session, SessionTransaction, sessionmaker

from ecsviz.basics.views import view
from ecsviz.domain.entity import Entity
from ecsviz.storage.protocol import check_entity_class
from ecsviz.storage.relational.inside import SqlInside
from ecsviz.storage.relational.models.python_source import python_source

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class StoreTables:
    """The part of `SQLAlchemyEntityStorage` for users of SQLAlchemy."""

    inside: SqlInside

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine."""
        return self.inside.database.engine

    @property
    def session_factory(self) -> sessionmaker[Session]:
        """Makes SQLAlchemy sessions on this store: foreign keys enforced, errors SQLAlchemy's own.

        Examples
        --------
        >>> import ecsviz as ev
        >>> from sqlalchemy import select
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> thread = ev.ChatThread(title="Cycles")
        >>> message = thread.say("user", "hello")
        >>> _ = store.register(thread)
        >>> ChatThreadSQL = store.sql_model(ev.ChatThread)
        >>> with store.session_factory() as session:
        ...     row = session.scalars(select(ChatThreadSQL)).one()
        ...     [m.content for m in row.messages], row.to_entity() == thread
        (['hello'], True)
        """
        made = sessionmaker(self.inside.database.session_engine())
        sa.event.listen(made, "after_begin", functools.partial(_check_session, self.inside))
        return made

    def sql_model(self, cls: type[Entity]) -> Any:
        """Return the declarative class of an entity class: hand-written, or made here.

        Parameters
        ----------
        cls
            An entity class.

        Returns
        -------
        type
            Named ``ChatThreadSQL``; with ``relationship``s, ``to_entity()`` and
            ``from_entity(entity, session)``, for ``select(...)`` and everything else of
            SQLAlchemy. A column called ``metadata`` is the attribute ``metadata_``.

        Raises
        ------
        UnsupportedFieldError
            If the class cannot be mapped.

        Notes
        -----
        A column gives one Python type: JSON columns the value as its field has it (lists,
        tuples, sets, models, …), and they take such values, in ``where`` too; times UTC without
        a zone, durations microseconds, enums their value (or their name, where the values are
        neither texts nor integers), Decimals what the database computes with (on SQLite floats),
        everything else its own type. What a column cannot hold exactly stands in ``ecs_exact``,
        and nested values with entities in them are JSON texts: ``to_entity()`` gives those.

        An edit of a row in a session is not seen by the store: it has no revision, and `verify`
        tells it as damage until ``store.adopt_changes()`` makes a revision of it.
        ``from_entity`` saves as `register` does.
        """
        check_entity_class(cls)
        return self.inside.handwritten.model_of(cls) or self.inside.models.of(cls)

    @property
    def models(self) -> dict[type, Any]:
        """The declarative classes of all classes mapped so far."""
        return {**self.inside.models.all(), **self.inside.handwritten.by_class}

    def to_python(self, *classes: type[Entity]) -> str:
        """Return the declarative models as a Python module, to be kept and edited.

        Parameters
        ----------
        *classes
            Entity classes; what they refer to is added. By default everything that is stored.

        Returns
        -------
        str
            The module's text. It imports SQLAlchemy alone; its ``Base.metadata`` describes this
            store's tables. Of hand-written models it has what the store keeps (``ecs_of_…``).

        Raises
        ------
        UnknownTypeError
            If the store holds a type for which no class is defined here.
        UnsupportedFieldError
            If a class cannot be mapped.

        Examples
        --------
        >>> import ecsviz as ev
        >>> class Page(ev.Entity):
        ...     number: int
        >>> text = ev.SQLAlchemyEntityStorage(":memory:").to_python(Page)
        >>> print(text[text.index("class PageSQL") :])
        class PageSQL(Base):
            \"\"\"Rows of pages: the entity class Page.\"\"\"
        <BLANKLINE>
            __tablename__ = 'pages'
        ...
            number: Mapped[int] = mapped_column(sa.BigInteger(), nullable=False)
        <BLANKLINE>
        """
        for cls in classes:
            check_entity_class(cls)
        with self.inside.reading() as (_, catalog):
            mapping = catalog.mapping
            maps = catalog.classes_of(mapping.stored) if not classes else []
            return python_source(mapping, maps or mapping.map_classes(classes))

    @property
    def metadata(self) -> sa.MetaData:
        """The tables of all classes mapped so far."""
        mapping = self.inside.catalog.mapping
        mapping.map_met()
        return mapping.metadata

    @view
    def draw_schema(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the tables with their columns, keys and crow's feet.

        Parameters
        ----------
        ax
            Where to draw. None makes a figure.
        **options
            ``title`` and ``legend``: those of ``ecsviz.draw.draw_schema``, which draws entity
            classes and any SQLAlchemy ``MetaData`` as well.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> _ = store.register(ev.ChatThread(title="Cycles"))
        >>> store.draw_schema().get_title(loc="left")
        '2 tables, 2 foreign keys, 1 cyclic component'
        """
        raise NotImplementedError


def _check_session(inside: SqlInside, _: Session, __: SessionTransaction, conn: Connection) -> None:
    """See to it that a session, too, looks at the store that was opened."""
    inside.database.check_moved()
    if inside.is_made(conn) and inside.catalog.seen.acts(conn):
        inside.found(conn)
