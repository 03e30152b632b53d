"""The storage on SQLAlchemy: one table per class, read and written in bulk.

``store.py`` and the three ``store_….py`` beside it are the facade, over ``inside.py``, which has
the database, the catalog and the transactions. Below it stand, in the order of imports:
``schema/`` (classes as tables, the catalog), ``past/``, ``models/`` (declarative models),
``load/``, ``save/``, ``upkeep/`` (verify, adopt, migrate) and ``look/`` (frames, graphs and pages
without objects). They may import ``sql/`` and the rooms beside ``relational/``, but for
``memory/``. Begin at ``store.py``.
"""
