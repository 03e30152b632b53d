"""One room a format: a class with `claims` and `read`.

A new one is a file here and a line in ``registry.py``. May import the rooms of
``importers/chat/``; formats share helpers through ``drafts`` and ``trees``. Begin reading at
``sharegpt.py``, the shortest.
"""
