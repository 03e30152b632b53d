"""The explorer of graphs: a scene of nodes, groups or components, and details.

May import ``widgets/base.py`` and everything below ``widgets/``. Begin reading at ``explore.py``,
then ``explorer.py``; ``views.py`` decides what is shown, ``scene.py`` makes its elements,
``picking.py`` finds paths and what was picked.
"""
