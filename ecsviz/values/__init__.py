"""Values: one field's values ↔ one column, or JSON.

Each annotation has a codec; what has none of its own is JSON that keeps Python's types. May
import ``domain/`` and what is below. Begin reading at ``codecs.py`` (annotation → codec), then
``column_codecs.py`` (one class a kind of column) and ``tagged_json.py``.
"""
