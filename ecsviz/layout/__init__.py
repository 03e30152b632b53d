"""Layout: where the nodes of a graph stand, without any drawing library.

Nodes stand in rows by generation: dependents above, what they depend on below, so that the
arrows from source to target point down. What is a tree or a chain but for inverse references
stands as that. Else a cyclic component is one box of these rows. A small or ring-like one stands
on a circle in the order of a cycle, or, where cycles meet in single nodes, on a circle for each; a
larger one in rows of its own, those saved first at the top where they collect the others, and at
the bottom where they are only depended on. Where lines would cross less, its members stand among
the others, in rows without their deferred references.

May import ``graph/`` and what is below. Begin reading at ``compound.py``: it lays each part out by
itself (``layered``, ``rings``, ``blocks``) and packs the parts on a page.
"""

from __future__ import annotations

from ecsviz.layout.compound import layout_graph
from ecsviz.layout.groups import DrawingOptionError
from ecsviz.layout.overview import Overview, overview
from ecsviz.layout.placed import Layout

__all__ = ["DrawingOptionError", "Layout", "Overview", "layout_graph", "overview"]
