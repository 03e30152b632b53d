"""Domain: what an entity is and holds.

Its class and fields, the walk along references, equality, differences, dumps, copies, and the
chat classes. May import ``basics/`` and ``errors``. Begin reading at ``entity.py``, then
``fields.py`` (which fields can hold entities) and ``walk.py`` (the iterative walk along them).
"""
