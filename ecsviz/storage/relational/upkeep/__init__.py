"""Upkeep: stores that are checked, changed with their classes, shortened.

May import ``save/``, ``load/`` and what they stand on. Begin reading at ``verify.py`` and
``migrate.py``; ``class_changes.py`` says what differs between a class and its table.
"""
