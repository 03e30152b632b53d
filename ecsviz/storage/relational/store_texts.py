"""Texts of a store on SQLAlchemy: searched by words, and indexed for that."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from sqlalchemy.engine import Connection

from ecsviz.domain.entity import Entity
from ecsviz.errors import InvalidArgumentError
from ecsviz.storage.hits import Hits, named_fields, text_search
from ecsviz.storage.protocol import check_entity_class
from ecsviz.storage.relational.inside import SqlInside
from ecsviz.storage.relational.load.text_search import (
    check_texts,
    drop_texts,
    find_texts,
    index_texts,
)
from ecsviz.storage.relational.schema.catalog import Catalog


class StoreTexts:
    """The part of `SQLAlchemyEntityStorage` that searches texts."""

    inside: SqlInside

    def search(
        self,
        text: str,
        cls: type[Entity] | None = None,
        *,
        fields: str | Iterable[str] | None = None,
        limit: int | None = 20,
        offset: int = 0,
    ) -> Hits:
        """Search texts by words; return where all of them are, the best first.

        Parameters
        ----------
        text
            Words, all of which must be in a text. ``"several words"`` in quotation marks follow
            each other, ``wor*`` is how a word begins; everything else divides words. Case and
            accents do not count.
        cls
            An entity class; its subclasses are searched too. None searches all that is indexed.
        fields
            In which of its fields that hold texts; by default in those that have an index, or, if
            none has, in all of them.
        limit, offset
            How many hits at most (None for all), and how many to pass over.

        Returns
        -------
        Hits
            A sequence of `Hit`: ``ecs_id``, ``type``, ``field``, ``score``, ``snippet`` and
            ``marks``, one for each text that fits. A table in a notebook; ``to_frame()``.

        Raises
        ------
        InvalidArgumentError
            If there is no word in `text`, or no such field; without a class, if nothing is indexed.
        NotAnEntityError
            If `cls` is no entity class.

        Notes
        -----
        It searches what is stored now, not the past. With an index (`index_text`) the time goes by
        the hits; without, every text is read. Both find the same. A word is a run of letters,
        digits and marks. Hits are ranked by BM25, on PostgreSQL by ``ts_rank``; among equals, by
        class, field and the order of storing. What was changed by plain SQL since the last save
        is found, but ranked by itself.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> thread = ev.ChatThread(title="Cycles")
        >>> for text in ("What is a save plan?", "The plan says what is saved first."):
        ...     _ = thread.say("user", text)
        >>> _ = store.register(thread)
        >>> store.index_text(ev.ChatMessage, "content")
        2
        >>> store.search('"save plan"', ev.ChatMessage)
        1 hit for '"save plan"'
          ChatMessage.content: What is a [save plan]?
        >>> hit = store.search("sav* first")[0]
        >>> store.get(hit.ecs_id, hops=0).role
        'user'
        """
        if cls is not None:
            check_entity_class(cls)
            _refuse_by_hand(self.inside, cls, "search()")
        wanted = text_search(text, cls, fields, limit, offset)
        with self.inside.reading() as (conn, catalog):
            return find_texts(conn, catalog, cls, wanted)

    def index_text(self, cls: type[Entity], *fields: str) -> int:
        """Make an index of the words of text fields, for `search`; once for all times.

        Parameters
        ----------
        cls
            An entity class. Its subclasses, also those that are stored later, get the index too.
        *fields
            Names of its fields that hold texts; by default all of them.

        Returns
        -------
        int
            How many texts are indexed. What has an index already keeps it.

        Raises
        ------
        InvalidArgumentError
            If the class has no such field, or a hand-written model.
        StorageError
            If the database has no index of words: a SQLite without FTS5, or another database than
            SQLite and PostgreSQL.

        Notes
        -----
        The index is brought up to date in the transaction of every save, deletion, migration and
        so on. What sessions and plain SQL change is noted by triggers, and found at once; it goes
        into the index with the next save, or when this is called again. `verify` compares index
        and texts. It takes about as much room as the texts. O(texts); four statements for every
        10,000.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> store.index_text(ev.ChatThread, "title")
        0
        >>> _ = store.register(ev.ChatThread(title="Cycles and plans"))
        >>> [hit.snippet for hit in store.search("cycles")]
        ['Cycles and plans']
        """
        check_entity_class(cls)
        _refuse_by_hand(self.inside, cls, "index_text()")
        names, inside = named_fields(fields) or (), self.inside
        inside.check_writable(alone="index_text()")
        with inside.database.turn():
            check_texts(inside.catalog.fork(), cls, names)  # before there is a file
            with inside.database.writing() as conn:
                if not inside.is_made(conn):
                    inside.catalog.create(conn)
                found, free = inside.found(conn)
                catalog = found.fork()
                with catalog.synced(conn, catalog.mapping.map_classes([cls]), free):
                    pass  # tables are made for a class of which nothing is stored yet
                count = index_texts(conn, catalog, cls, names)
                catalog.seal(conn)
                inside.after(conn, partial(_indexed, inside, conn, catalog))
        return count

    def drop_text_index(self, cls: type[Entity], *fields: str) -> None:
        """Take away indexes that `index_text` made; `search` reads the texts themselves then.

        Parameters
        ----------
        cls
            An entity class; the indexes of its subclasses go as well.
        *fields
            Names of fields; by default all of them.

        Raises
        ------
        InvalidArgumentError
            If the class has no such field, or a hand-written model.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> store.index_text(ev.ChatThread, "title")
        0
        >>> store.drop_text_index(ev.ChatThread)
        >>> len(store.verify())
        0
        """
        check_entity_class(cls)
        _refuse_by_hand(self.inside, cls, "drop_text_index()")
        names, inside = named_fields(fields) or (), self.inside
        inside.check_writable(alone="drop_text_index()")
        check_texts(inside.catalog.fork(), cls, names)
        if not inside.database.exists():
            return
        with inside.database.writing() as conn:
            if inside.is_made(conn):
                catalog = inside.found(conn)[0]
                drop_texts(conn, catalog, cls, names)
                catalog.seal(conn)


def _indexed(inside: SqlInside, conn: Connection, catalog: Catalog) -> None:
    inside.catalog = catalog
    catalog.settle(conn)


def _refuse_by_hand(inside: SqlInside, cls: type[Entity], what: str) -> None:
    if inside.handwritten.model_of(cls) is not None:
        raise InvalidArgumentError(
            f"{cls.__name__} has a hand-written model, whose texts {what} does not look at. Write a"
            " select() on that; its rows have to_entity().",
            value=cls,
        )
