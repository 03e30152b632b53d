"""Lessons: a widget that goes through an algorithm step by step, and exercises.

May import ``widgets/base.py`` and everything below ``widgets/``. Begin reading at
``walkthrough.py``, the widget, or at ``making.py``: what an exercise is, and how an answer is
judged. ``shipped.py`` has the exercises of ecsviz, ``order.py`` is the widget in which one drags,
``lessons.py`` what ``ecsviz.lessons`` shows.
"""
