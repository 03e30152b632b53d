"""Asking a storage what it holds: what fits, how many, one, all in turn. The same for all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ecsviz.basics.arguments import natural_number
from ecsviz.domain.entity import Entity
from ecsviz.errors import (
    EntityNotFoundError,
    InvalidArgumentError,
    SeveralFoundError,
    short_repr,
)
from ecsviz.storage.as_of import AsOf
from ecsviz.storage.looking import Inside
from ecsviz.storage.protocol import E_, Extent, check_entity_class
from ecsviz.storage.search import Search, search
from ecsviz.storage.stored_threads import StoredThreads


class AskingStorage:
    """The methods that ask by the values of fields."""

    inside: Inside

    if TYPE_CHECKING:

        def has_entity(self, ecs_id: UUID | str) -> bool:
            """Tell whether an id is stored."""

    def find(
        self,
        cls: type[E_],
        *,
        order_by: str | Iterable[str] | None = None,
        limit: int | None = None,
        offset: int = 0,
        hops: int | None = None,
        only: Iterable[type[Entity]] | None = None,
        lazy: bool = False,
        as_of: AsOf = None,
        **fields: Any,
    ) -> list[E_]:
        """Return the entities of a class whose fields are as they are asked for.

        Parameters
        ----------
        cls
            An entity class; its subclasses are searched too.
        order_by
            Fields that hold one value, ``"-created_at"`` for falling order. None comes last. By
            default, and among equals: class by class, in the order of storing.
        limit, offset
            How many at most, and how many to pass over.
        hops, only, lazy
            How much of what they lead to is read, and when; as in `get`.
        as_of
            When; as in `get`.
        **fields
            ``field=value``: the field has this value; for a reference an entity, its id, or None.
            ``field__lookup=value``, with ``eq`` ``ne`` ``in`` ``isnull`` of every field with one
            value; ``lt`` ``le`` ``gt`` ``ge`` of what has an order; ``contains`` ``startswith``
            ``endswith`` of texts and what is written as a text, with an ``i`` in front whatever the
            case. ``thread__title=…``, ``messages__role__in=[…]``: through references, to any of
            what a field holds. All of them have to fit, each by itself.

        Raises
        ------
        InvalidArgumentError
            If the class has no such field or lookup, or it cannot be compared in this way; if a
            value is not of the field's type.
        NotAnEntityError
            If `cls` is no entity class.

        Notes
        -----
        One statement finds the rows; where a column holds but a stand-in for what is compared
        (integers beyond 64 bits, texts with a NUL), another one reads the rows in doubt.

        Values are compared as ``order_by`` orders them: as Python does, texts by code point, times
        by the instant, those without an offset as if in UTC, enums and paths by what is written. To
        be equal, both times need an offset, or neither. In a field of several types (``int | str``)
        1 is neither 1.0 nor True, and there is no order. None fits ``isnull=True``, ``=None`` and
        ``ne`` of anything else, and has no order; NaN is itself, and has none either. ``i…`` is
        ``str.casefold`` on both sides, in every script. What a reference leads to fits if any of it
        does: where there is nothing, ``ne`` and ``isnull`` do not fit either. A list by itself is
        asked for ``isnull`` alone. For the rest write a ``select()`` on `sql_model`, whose rows
        have ``to_entity()``.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> thread = ev.ChatThread(title="Cycles")
        >>> for text in ("hello", "what is a cycle?"):
        ...     _ = thread.say("user", text)
        >>> _ = store.register(thread)
        >>> found = store.find(ev.ChatMessage, role="user", order_by="-content", limit=1)
        >>> [message.content for message in found]
        ['what is a cycle?']
        >>> len(store.find(ev.ChatMessage, content__icontains="CYCLE", thread__title__ne="x"))
        1
        """
        wanted = _search(cls, fields, order_by, limit, offset)
        return self.inside.find(wanted, Extent.of(hops, only, lazy), as_of)

    def first(
        self,
        cls: type[E_],
        *,
        order_by: str | Iterable[str] | None = None,
        hops: int | None = None,
        only: Iterable[type[Entity]] | None = None,
        lazy: bool = False,
        as_of: AsOf = None,
        **fields: Any,
    ) -> E_ | None:
        """Return the first entity that fits, None if there is none.

        Parameters and errors are those of `find`.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.InMemoryEntityStorage()
        >>> _ = store.register([ev.ChatThread(title="b"), ev.ChatThread(title="a")])
        >>> store.first(ev.ChatThread, order_by="title").title
        'a'
        """
        wanted, extent = _search(cls, fields, order_by, 1), Extent.of(hops, only, lazy)
        return next(iter(self.inside.find(wanted, extent, as_of)), None)

    def one(
        self,
        cls: type[E_],
        *,
        hops: int | None = None,
        only: Iterable[type[Entity]] | None = None,
        lazy: bool = False,
        as_of: AsOf = None,
        **fields: Any,
    ) -> E_:
        """Return the only entity that fits.

        Parameters are those of `find`.

        Raises
        ------
        EntityNotFoundError
            If none fits.
        SeveralFoundError
            If several do; its ``count`` says how many.
        InvalidArgumentError
            As in `find`.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.InMemoryEntityStorage()
        >>> _ = store.register([ev.ChatThread(title="b"), ev.ChatThread(title="a")])
        >>> store.one(ev.ChatThread, title="a").title
        'a'
        """
        wanted, extent = _search(cls, fields), Extent.of(hops, only, lazy)
        with self.inside.one_state():
            count = self.inside.count(wanted, as_of)
            if count == 1:
                entity: E_ = self.inside.find(wanted, extent, as_of)[0]
                return entity
        asked = f" that fits {', '.join(fields)}" if fields else ""
        if not count:
            raise EntityNotFoundError(
                f"No {cls.__name__}{asked} is stored. first() returns None where there is none.",
                type_name=cls.__name__,
            )
        raise SeveralFoundError(
            f"There is not one {cls.__name__}{asked}, there are {count:,}. Ask for more, or use"
            " first() or find().",
            type_name=cls.__name__,
            count=count,
        )

    def count(self, cls: type[Entity], *, as_of: AsOf = None, **fields: Any) -> int:
        """Return how many entities of a class fit; none of them is read.

        Parameters and errors are those of `find`.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.InMemoryEntityStorage()
        >>> _ = store.register(ev.sample("thread"))
        >>> store.count(ev.ChatMessage, role__in=["user", "assistant"])
        18
        """
        return self.inside.count(_search(cls, fields), as_of)

    def exists(self, cls: type[Entity], *, as_of: AsOf = None, **fields: Any) -> bool:
        """Tell whether an entity of a class fits; none is read, and the first one is enough.

        Parameters and errors are those of `find`.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.InMemoryEntityStorage()
        >>> _ = store.register(ev.ChatThread(title="Cycles"))
        >>> store.exists(ev.ChatThread, title__startswith="C"), store.exists(ev.ChatMessage)
        (True, False)
        """
        return self.inside.count(_search(cls, fields, None, 1), as_of) > 0

    def threads(self, *, as_of: AsOf = None) -> StoredThreads:
        """Return the chat threads that are stored, to be counted and drawn.

        Parameters
        ----------
        as_of
            A revision or an aware time; by default what is stored when something is asked.

        Returns
        -------
        StoredThreads
            With the methods of `ecsviz.ChatThreads`: ``frame``, ``summary``, ``draw_activity`` …

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.InMemoryEntityStorage()
        >>> _ = store.register(ev.sample("thread"))
        >>> store.threads().summary()["messages"].tolist()
        [18]
        """
        self.inside.check_open()
        return StoredThreads(self, as_of)

    def iterate(
        self,
        cls: type[E_],
        *,
        batch: int = 1_000,
        hops: int | None = 0,
        only: Iterable[type[Entity]] | None = None,
        lazy: bool = False,
        as_of: AsOf = None,
        **fields: Any,
    ) -> Iterator[E_]:
        """Yield the entities of a class that fit, batch by batch, all as of one revision.

        Parameters
        ----------
        cls, only, lazy, as_of, fields
            As in `find`; by default as of the newest revision there is at the call.
        batch
            How many are read at a time.
        hops
            As in `get`. By default what they lead to are placeholders, so that memory is bounded by
            the batch; None reads with each batch everything that it leads to.

        Raises
        ------
        InvalidArgumentError
            As in `find`; or, while it yields, if the revision has been pruned meanwhile.
        TransactionError
            While it yields, if it was begun in a transaction that has been taken back since.

        Notes
        -----
        No transaction stays open between batches: others may write. What two entities share is
        one object within a batch, and two in two batches. What a transaction of one's own changes
        meanwhile may be among them. Criteria take eight bytes for each that fits. In the
        order of storing, class by class; O(entities), two or three statements a batch, and those
        that read it.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> _ = store.register(ev.sample("thread"))
        >>> sum(len(message.content) > 100 for message in store.iterate(ev.ChatMessage, batch=5))
        11
        """
        wanted, extent = _search(cls, fields), Extent.of(hops, only, lazy)
        if not natural_number(batch):
            raise InvalidArgumentError(
                f"batch is {short_repr(batch)}. Give a whole number from 1.", value=batch
            )
        batches = self.inside.batches(wanted, int(batch), extent, as_of)
        return (entity for found in batches for entity in found)

    def __len__(self) -> int:
        """Return how many entities are stored."""
        return sum(found.count for found in self.inside.classes())

    def __bool__(self) -> bool:
        """Return True: a store is one, also while it is empty."""
        return True

    def __contains__(self, ecs_id: Any) -> bool:
        """Tell whether an entity, or the one of an id, is stored; as `has_entity`."""
        return self.has_entity(ecs_id)


def _search(
    cls: Any, fields: dict[str, Any], order_by: Any = None, limit: Any = None, offset: Any = 0
) -> Search:
    check_entity_class(cls)
    return search(cls, fields, order_by, limit, offset)
