"""Look: tables, references and graphs of a store without making objects.

May import ``schema/``, ``past/`` and ``sql/``. Begin reading at ``frames.py`` (DataFrames), then
``graph.py`` (the dependency graph of what is stored).
"""
