"""Models: tables as declarative classes of SQLAlchemy.

Those that are made of entity classes, as classes or as the text of a module, and those that
users wrote by hand. May import ``schema/`` and ``sql/``. Begin reading at ``models.py``;
hand-written ones are in ``handwritten_rows.py``.
"""
