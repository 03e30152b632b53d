"""Databases of others: `read_database` and what it returns.

May import ``storage/``, ``graph/``, ``draw/`` and what is below. Begin reading at ``reader.py``;
``source.py`` opens, ``reflect.py`` reads the schema, ``rows.py`` follows keys, ``values.py`` tells
what values are in Python, ``making.py`` makes entities.
"""

from __future__ import annotations

from ecsviz.importers.database.graphs import Row
from ecsviz.importers.database.opened import Database
from ecsviz.importers.database.reader import read_database
from ecsviz.importers.database.schema import ForeignKey

__all__ = ["Database", "ForeignKey", "Row", "read_database"]
