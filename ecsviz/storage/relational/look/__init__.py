"""Look: tables, references and graphs of a store without making objects.

May import ``schema/``, ``load/`` and ``sql/``. Begin reading at ``references.py`` (all that refers
to something, as columns), then ``class_frames.py`` (a class as a DataFrame), ``frames.py`` (the
others) and ``graph.py`` (the dependency graph).
"""
