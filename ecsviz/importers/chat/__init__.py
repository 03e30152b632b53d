"""Chats of others: files of many tools → ChatThread and ChatMessage.

A file is opened (``opening``), recognised (``registry``), read by one of ``formats/`` as drafts
(``drafts``), and built (``building``). May import ``domain/``, ``basics/``, what
``storage/sql/`` knows of SQLite files, and the rooms of ``importers/`` beside it. Begin
reading at ``reading.py``.
"""
