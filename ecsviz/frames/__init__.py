"""Frames: whole graphs ↔ DataFrames ↔ networkx.

Two frames hold all that entities hold; frames of one's own, and graphs of networkx, become
entities. May import ``storage/`` (its checks) and what is below. Begin reading at
``to_frames.py``; ``from_frames.py`` is the way back, ``columns.py`` what both share.
"""
