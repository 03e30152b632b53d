"""The storage on SQLAlchemy: one table per class, read and written in bulk.

``store.py`` is the facade. Below it stand, in the order of imports: ``schema/`` (classes as
tables, the catalog), ``models/`` (declarative models), ``past/``, ``save/``, ``load/``, ``look/``
(frames and graphs without objects) and ``upkeep/`` (verify, migrate). They may import ``sql/`` and
the rooms beside ``relational/``, but for ``memory/``. Begin at ``store.py``.
"""
