"""What a migration does to the indexes of words: away before, and made anew after it."""

from __future__ import annotations

from collections.abc import Container

from sqlalchemy.engine import Connection

from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.text_index import (
    forget,
    indexes_in,
    inherit,
    make_indexes,
    text_fields,
)
from ecsviz.storage.relational.schema.text_tables import TextIndex
from ecsviz.storage.relational.upkeep.class_changes import Declared


class IndexesMeanwhile:
    """The indexes of words of a store, while its tables are altered.

    Parameters
    ----------
    conn, catalog
        The migration's transaction, and the catalog as it was.
    """

    def __init__(self, conn: Connection, catalog: Catalog) -> None:
        self.conn, self.settings = conn, catalog.store
        self.there = indexes_in(conn, catalog.mapping)
        self.types = set(catalog.mapping.stored)
        self.away: list[TextIndex] = []

    def take_away(self, altered: Container[str]) -> None:
        """Take the indexes of altered types away, with the triggers on their tables."""
        self.away = [index for index in self.there if index.type_name in altered]
        forget(self.conn, self.settings, self.away, self.there)

    def make_again(self, catalog: Catalog, declared: Declared) -> None:
        """Make them anew, of fields that hold texts still, by the names that they have now."""
        mapping = catalog.mapping
        wanted = [(i.type_name, declared.now(i.type_name, i.field)) for i in self.away]
        texts = {name: text_fields(mapping.by_type[name]) for name, _ in wanted}
        kept = [(name, field) for name, field in wanted if field in texts[name]]
        if kept:
            make_indexes(self.conn, self.settings, mapping, kept)
        fresh = [known for name, known in mapping.by_type.items() if name not in self.types]
        if self.there:
            inherit(self.conn, self.settings, mapping, fresh)
