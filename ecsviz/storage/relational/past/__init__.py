"""Past: the store as it was, and what changed when.

May import ``schema/`` and ``sql/``. Begin reading at ``past_catalog.py`` (the catalog as it reads
for an old revision), then ``history.py`` (the versions of one entity) and ``reach.py``.
"""
