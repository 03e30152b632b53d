"""The explorer of graphs: a scene of nodes, groups or components, and details.

May import ``widgets/base.py`` and everything below ``widgets/``. Begin reading at ``explorer.py``;
``views.py`` decides what is shown, ``scene.py`` makes its elements.
"""
