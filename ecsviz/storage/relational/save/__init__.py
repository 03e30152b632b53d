"""Save: what differs from the store is found, then written in bulk.

May import ``schema/``, ``models/``, ``past/`` and ``sql/``. Begin reading at ``save.py``: it
calls the other rooms in the order in which a save needs them (``rows``, ``lookup``,
``list_positions``, ``link_tables``, ``orphans``). ``delete.py`` takes entities away.
"""
