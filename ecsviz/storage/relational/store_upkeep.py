"""The upkeep of a store on SQLAlchemy: classes that have changed, a past that is too long."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Mapping as MappingOf
from typing import Any

from ecsviz.domain.entity import Entity
from ecsviz.errors import InvalidArgumentError, flag, listed, short_repr
from ecsviz.storage.as_of import AsOf, check_as_of, said_as
from ecsviz.storage.protocol import check_entity_class
from ecsviz.storage.relational.past.past_catalog import prune
from ecsviz.storage.relational.store_base import OpenStore
from ecsviz.storage.relational.upkeep.class_changes import Migration
from ecsviz.storage.relational.upkeep.migrate import Migrate


class MigratableStore(OpenStore):
    """A store that can be kept: its tables fitted to changed classes, its past cut."""

    def migrate(
        self,
        *classes: type[Entity],
        drop: Iterable[str] = (),
        rename: MappingOf[str, str] | None = None,
        convert: MappingOf[str, Callable[[Any], Any]] | None = None,
        dry_run: bool = False,
    ) -> Migration:
        """Make the tables fit classes that have changed since they were stored.

        Parameters
        ----------
        *classes
            What to migrate, with subclasses; by default every class that is defined here.
        drop
            Fields that are gone and whose values may be lost, as ``"Class.field"``. Nothing else
            is dropped.
        rename
            What fields are called now: ``{"Class.old": "new"}``.
        convert
            How fields that have another type get their values: ``{"Class.field": function}``, by
            the present name. The function gets every stored value, of the past as well, as its
            column holds it: of an enum its value, of a duration microseconds, of models and other
            structures lists and dictionaries. What it returns is validated as the class validates
            the field. None stays None where the field may be None; where it may not, the function
            gets it too.
        dry_run
            Only tell what would be done, and what is refused. Functions of `convert` are
            called, and nothing is written.

        Returns
        -------
        Migration
            Every difference, and ``kept``: what of your own was in the way; shows as a table.

        Raises
        ------
        MigrationRefusedError
            If a change would lose or invent something, a value cannot be converted, or a view,
            trigger or index of your own could not work any more. Nothing is changed then.
        InvalidArgumentError
            If `drop` or `rename` names what is not stored, or `convert` what cannot be converted:
            unknown fields, references, fields whose type has not changed.

        Notes
        -----
        Safe are: a field with a default added, a field renamed or dropped by name, None allowed
        or (where no value is None) no longer allowed, further classes in a reference; and
        another type, with a function. One transaction, through Alembic's operations; on SQLite,
        altered tables are made anew. Views, triggers, indexes and foreign keys of your own are
        there afterwards with the text they had (where they are in the way, they are dropped and
        made again, and no trigger fires meanwhile); what speaks of a column that goes is named,
        and the migration refused. PostgreSQL renames a column in them by itself. The entities
        keep their versions. O(rows of the classes that changed).

        A change between types that SQL does not tell apart (a number of minutes that becomes a
        duration, a text that becomes an enum) is no difference of tables: nothing reminds of it,
        so convert before anything is registered. What was converted is noted, and not converted
        to the same type twice.

        Examples
        --------
        >>> import ecsviz as ev
        >>> class Recipe(ev.Entity):
        ...     title: str
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> soup = store.register(Recipe(title="Soup"))
        >>> class Recipe(ev.Entity):  # the cell is edited and run again
        ...     name: str
        ...     minutes: int = 30
        >>> store.migrate(rename={"Recipe.title": "name"})
        Migration: 2 changes, applied
          Recipe.name: renamed from title (TEXT → TEXT)
          Recipe.minutes: added (BIGINT)
        >>> store.get(soup.ecs_id).name, store.get(soup.ecs_id).minutes
        ('Soup', 30)

        A field with another type (and another name):

        >>> class Recipe(ev.Entity):
        ...     name: str
        ...     hours: float
        >>> store.migrate(
        ...     rename={"Recipe.minutes": "hours"},
        ...     convert={"Recipe.hours": lambda minutes: minutes / 60},
        ... )
        Migration: 2 changes, applied
          Recipe.hours: renamed from minutes (BIGINT → DOUBLE)
          Recipe.hours: converted, 1 value (BIGINT → DOUBLE)
        >>> store.get(soup.ecs_id).hours
        0.5
        """
        for cls in classes:
            check_entity_class(cls)
        few = f"Give a list: drop=[{drop!r}]." if isinstance(drop, str) else None
        drop = listed(drop, "drop", few or "Give a list of 'Class.field'.")
        rename, convert = (
            _mapping(given, name) for given, name in ((rename, "rename"), (convert, "convert"))
        )
        dry_run = flag(dry_run, "dry_run")
        if not self._database.exists():
            return Migration()
        with self._database.reading() if dry_run else self._database.altering() as conn:
            catalog, _ = self._found(conn)
            if not self._is_made(conn):
                return Migration()
            found = Migrate(conn, catalog, classes or None, drop, rename, convert)
            if not dry_run:
                found.apply()
        return found.migration

    def prune(self, before: AsOf = None) -> int:
        """Forget the past, in one transaction.

        Parameters
        ----------
        before
            A revision or an aware time from which on the past is kept; None forgets all of it.

        Returns
        -------
        int
            How many superseded rows are gone.

        Raises
        ------
        InvalidArgumentError
            If there is no such revision.

        Notes
        -----
        What is stored now stays as it is, with its versions, and so does every state from
        `before` on. O(rows that go).

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> thread = store.register(ev.ChatThread(title="a"))
        >>> for title in "bcd":
        ...     thread.title = title
        ...     _ = store.register(thread)
        >>> store.prune(before=3), store.get(thread.ecs_id, as_of=3).title
        (2, 'c')
        """
        with said_as("before"):
            if self._database.exists():
                with self._database.writing() as conn:
                    catalog, _ = self._found(conn)
                    if self._is_made(conn):
                        return prune(conn, catalog, before)
            if before is not None:
                check_as_of(before, 0)
            return 0


def _mapping(given: Any, name: str) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, MappingOf):
        raise InvalidArgumentError(
            f"{name} is {short_repr(given)}. Give a dictionary with 'Class.field' as keys.",
            value=given,
        )
    return dict(given)
