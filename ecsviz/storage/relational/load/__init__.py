"""Load: the rows of everything that the wanted lead to, then objects.

May import ``schema/``, ``models/``, ``past/`` and ``sql/``. Begin reading at ``load.py``;
``closure.py`` is the recursive query, ``loaded_rows.py`` the rows as columns, ``find.py`` which
rows fit, ``lookups.py`` one column compared, ``on_touch.py`` what a lazy reading loads later.
"""
