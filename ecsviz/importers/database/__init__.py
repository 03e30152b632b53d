"""Databases of others: `read_database` and what it returns."""

from __future__ import annotations

from ecsviz.importers.database.graphs import Row
from ecsviz.importers.database.reader import Database, read_database
from ecsviz.importers.database.schema import ForeignKey

__all__ = ["Database", "ForeignKey", "Row", "read_database"]
