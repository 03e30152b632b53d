"""Lessons: a widget that goes through an algorithm step by step, forth and back, with questions.

May import ``widgets/base.py`` and everything below ``widgets/``. Begin reading at
``walkthrough.py``.
"""
