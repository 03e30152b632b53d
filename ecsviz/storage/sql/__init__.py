"""SQL: engines, safe transactions, bulk statements, and what their errors mean.

Knows connections and tables, no entity: storages stand on it, and ``importers/database/``. May
import ``values/`` and what is below, nothing else of ``storage/``. Begin reading at ``engine.py``,
then ``statements.py``.
"""
