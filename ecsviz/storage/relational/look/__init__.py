"""Look: tables, references and graphs of a store without making objects.

May import ``schema/`` and ``sql/``. Begin reading at ``references.py`` (all that refers
to something, as columns), then ``frames.py`` (DataFrames) and ``graph.py`` (the dependency graph).
"""
