"""One verb for every picture: what fits what was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecsviz.basics.views import own_view
from ecsviz.graph.graph_of import graph_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(what: Any, ax: Axes | None = None, **options: Any) -> Axes:
    """Draw anything: the picture that fits what was given.

    Parameters
    ----------
    what
        A graph, a difference, an entity or several, entity classes: the graph's picture. A
        store, or what `read_database` returns: the schema of its tables. Threads as `read_chat`
        returns them: on which days was written. And objects that are no entities, as of
        `graph_of`.
    ax
        Where to draw. None makes a figure.
    **options
        Those of the picture: of ``graph.draw``, ``diff.draw``, ``store.draw_schema``,
        ``threads.draw_activity``.

    Returns
    -------
    Axes
        With the picture.

    Raises
    ------
    NotAnEntityError
        If there is no picture of such a thing.
    UnknownOptionError, DrawingOptionError
        If the picture has no such option, or an option is nothing of its kind.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> ev.draw(thread).get_title(loc="left")
    '2 entities, 2 references, 1 cyclic component'
    >>> ev.draw([ev.ChatThread, ev.ChatMessage]).get_title(loc="left")
    '2 classes, 4 references, 1 cyclic component'
    """
    for word in ("draw", "draw_schema", "draw_activity"):
        if own_view(what, word):
            picture: Axes = getattr(what, word)(ax, **options)
            return picture
    return graph_of(what).draw(ax, **options)
