"""Storage: whole graphs stored in one transaction, and the same graphs back.

``protocol.py`` says what every storage offers, ``looking.py`` what pictures, widgets and the
command line ask of its ``inside`` besides; ``memory/`` does it in plain Python, and
``relational/`` on SQLAlchemy, over ``sql/`` (engines, transactions, bulk statements).
``lazy_reading.py`` is what both load when it is touched, ``criteria.py`` what both are
asked. May import ``graph/``, ``values/`` and what is below. Begin reading at ``protocol.py``.
"""

from ecsviz.basics.lazy import lazy

# Named in pickles that were written before there were folders.
__getattr__ = lazy(
    __name__,
    {
        "SQLAlchemyEntityStorage": "ecsviz.storage.relational.store",
        "_reopened": "ecsviz.storage.relational.store",
    },
)
