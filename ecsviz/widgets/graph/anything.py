"""One verb for every explorer: what fits what was given."""

from __future__ import annotations

from typing import Any

from ecsviz.basics.views import own_view
from ecsviz.domain.chat import ChatThread
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.errors import InvalidArgumentError, NotAnEntityError, short_repr
from ecsviz.graph.graph_of import graph_of
from ecsviz.widgets.graph.past import PastExplorer


def explore(what: Any, *, store: Any = None, **options: Any) -> Any:
    """Explore anything: the live widget that fits what was given.

    Parameters
    ----------
    what
        A graph, an entity or several, entity classes: the explorer of graphs. A chat thread, or
        threads as `read_chat` returns them: to read and to search. A store, or what
        `read_database` returns: its tables. And objects that are no entities, as of `graph_of`.
    store
        Where one entity is stored: adds a slider of the revisions that changed what it leads to;
        with ``live=True`` also those that this process saves later.
    **options
        Those of the explorer, such as ``view`` and ``pairs`` of ``graph.explore``.

    Returns
    -------
    GraphExplorer, PastExplorer, ThreadExplorer, ThreadsExplorer, StoreExplorer or DatabaseExplorer
        A widget.

    Raises
    ------
    NotAnEntityError
        If nothing explores such a thing.
    InvalidArgumentError
        If `store` is given with something that is not one entity.
    EntityNotFoundError
        If the entity is not stored there.
    UnknownOptionError
        If the explorer has no such option.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> type(ev.explore(thread)).__name__, type(ev.explore([thread])).__name__
    ('ThreadExplorer', 'GraphExplorer')
    >>> store = ev.InMemoryEntityStorage()
    >>> node = store.register(ev.sample("chain", n=2)[0])
    >>> past = ev.explore(node, store=store)
    >>> past.revision, past.told
    (1, 'revision 1: the first')
    """
    if store is None:
        if own_view(what, "explore"):
            return what.explore(**options)
        if own_view(what, "draw"):
            raise NotAnEntityError(
                f"There is no explorer of a {type(what).__name__}: ev.draw shows it, and"
                " thread.explore(store) compares two revisions of a thread.",
                value=what,
            )
        return graph_of(what).explore(**options)
    if not is_entity_class(type(what)):
        raise InvalidArgumentError(
            f"store= adds the past of one entity, and {short_repr(what)} is none. Give an entity,"
            " or leave store= out.",
            value=what,
        )
    if isinstance(what, ChatThread) and own_view(what, "explore"):
        return what.explore(store=store, **options)
    return PastExplorer(what, store, **options)
