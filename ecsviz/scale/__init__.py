"""Graphs past the memory of one process: a folder of Parquet files, and engines that ask it.

May import ``storage/`` and what is below it. Begin reading at ``layout.py``, which says what such
a folder holds; ``writing.py`` fills it from a store, ``lazy_graph.py`` asks it.
"""
