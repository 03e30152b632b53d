"""The explorer of many chat threads: search, filters, order, and the thread that one picks.

May import ``widgets/base.py``, ``widgets/thread/`` and everything below ``widgets/``. Begin reading
at ``explorer.py``; ``sought.py`` finds texts.
"""
