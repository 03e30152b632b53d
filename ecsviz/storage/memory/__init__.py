"""The storage in memory: the meaning of a storage in plain Python.

What is stored are states of entities in dictionaries, their past in lists. May import
``protocol.py`` and the rooms beside it, neither ``sql/`` nor ``relational/``. Begin reading at
``store.py``; ``saving.py`` decides what a save changes.
"""
