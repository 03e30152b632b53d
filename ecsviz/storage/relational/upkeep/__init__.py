"""Upkeep: stores that are checked, changed with their classes, shortened.

May import every room of ``relational/`` but the facade. Begin reading at ``verify.py`` and
``migrate.py``; ``class_changes.py`` says what differs between a class and its table.
"""
