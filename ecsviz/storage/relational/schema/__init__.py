"""Schema: entity classes as tables, and what a store says of itself.

Names, columns, history tables, seals, the catalog. May import ``sql/`` and what is below
``storage/``, no other room of ``relational/``. Begin reading at ``mapping.py``, then
``catalog.py``.
"""
