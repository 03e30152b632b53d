"""The explorer of a database of others: tables, their rows, and the graphs around both.

May import ``widgets/base.py``, ``widgets/graph/``, ``widgets/store/`` and all below. Begin reading
at ``explorer.py``.
"""
