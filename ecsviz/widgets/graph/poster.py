"""The picture that stands in for an explorer where it is not alive."""

from __future__ import annotations

import io
from typing import Final

from ecsviz.graph.dependency_graph import EntityDependencyGraph

SIZE: Final = (9.0, 5.0)
"""Width and height in inches: what a notebook shows without scrolling."""
DETAILED: Final = 150
"""Up to how many nodes stand one by one: what can be told apart in that size, in some 0.2 s."""
LABELLED: Final = 40
"""Up to how many carry labels: what can be read in that size."""


def poster(graph: EntityDependencyGraph) -> tuple[bytes, str]:
    r"""Return a picture of a graph as PNG, and what it shows as text.

    Parameters
    ----------
    graph
        Of any size: above `DETAILED` nodes it is drawn in groups.

    Examples
    --------
    >>> import ecsviz as ev
    >>> png, alt = poster(ev.EntityDependencyGraph(ev.sample("chain", n=3)))
    >>> png[:4], alt
    (b'\x89PNG', 'The dependency graph: 3 entities, 2 references, no cycle.')
    """
    from matplotlib.figure import Figure

    from ecsviz.draw.graph import draw_picture
    from ecsviz.draw.picture import counts_of, make_picture

    picture = make_picture(
        graph,
        color_by="type",
        label=None if len(graph) <= LABELLED or len(graph) > DETAILED else False,
        highlight=None,
        max_nodes=DETAILED,
        group_by=None,
    )
    figure = Figure(figsize=SIZE, dpi=96)
    draw_picture(picture, figure.add_axes((0.02, 0.02, 0.96, 0.88)))
    file = io.BytesIO()
    figure.savefig(file, format="png")
    note = f" {picture.note}" if picture.note else ""
    return file.getvalue(), f"The dependency graph: {counts_of(graph)}.{note}"
