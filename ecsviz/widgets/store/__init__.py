"""The explorer of stores: classes, revisions, pages of tables, the graph around.

May import ``widgets/base.py``, ``widgets/graph/`` and everything below ``widgets/``. Begin reading
at ``explorer.py``.
"""
