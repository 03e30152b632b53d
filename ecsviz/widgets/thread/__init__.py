"""The explorer of chat threads: bubbles, branches, search, revisions.

May import ``widgets/base.py`` and everything below ``widgets/``. Begin reading at ``explorer.py``;
``domain/branches.py`` chooses the path, ``texts.py`` says what stands in the bubbles, ``past.py``
the slider.
"""
