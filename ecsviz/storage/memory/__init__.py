"""The storage in memory: the meaning of a storage in plain Python.

What is stored are states of entities in dictionaries, their past in lists (``kept.py``);
``inside.py`` saves and looks at them, ``saving.py`` decides what a save changes. May import
``protocol.py`` and the rooms beside it, neither ``sql/`` nor ``relational/``. Begin reading at
``store.py``.
"""
