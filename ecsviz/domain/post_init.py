"""What ``model_post_init`` is to entities that are read from a storage."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ecsviz.domain.equality import identical
from ecsviz.domain.objects import copy_of_state, is_placeholder
from ecsviz.domain.validating import dependencies_first, first_among, has_post_init
from ecsviz.errors import NotLoadedError, StoredDataInvalidError


def run_post_init(entities: Iterable[Any], classes: Iterable[type], *, alone: bool = False) -> None:
    """Run ``model_post_init`` of entities whose graph has been read, dependencies first.

    Parameters
    ----------
    entities
        The graph; placeholders may be among them.
    classes
        Their classes.
    alone
        Whether they are a part of a graph, of which the rest has been read before.

    Raises
    ------
    StoredDataInvalidError
        If one of the methods fails.

    Notes
    -----
    A storage keeps no private attributes: this sets them, as when an entity is made. Fields are
    given as they are stored, whatever a method does to them, or reading would be an edit. A
    method that looks at a placeholder is left at that. O(entities), if a class has such a
    method; nothing else is done.
    """
    wanted = {cls for cls in classes if has_post_init(cls)}
    whole = [entity for entity in entities if not is_placeholder(entity)] if wanted else []
    if not whole:
        return
    states = [copy_of_state(entity) for entity in whole]
    for entity in first_among(whole) if alone else dependencies_first(whole):
        if type(entity) in wanted and not is_placeholder(entity):
            _run(entity)
    for entity, state in zip(whole, states, strict=True):
        _put_back(entity, state)


def _run(entity: Any) -> None:
    try:
        entity.model_post_init(None)
    except NotLoadedError:
        pass  # whoever asks for a private attribute that is not set is told
    except Exception as err:
        cls = type(entity)
        raise StoredDataInvalidError(
            f"model_post_init of {cls.__name__} failed with {type(err).__name__} for the stored"
            f" entity {entity.ecs_id}. It runs when an entity is read, too: let it take what is"
            " stored, or look at the fields with store.frame().",
            ecs_id=entity.ecs_id,
            type_name=cls.__name__,
        ) from err


def _put_back(entity: Any, state: dict[str, Any]) -> None:
    now = entity.__dict__
    for name, value in state.items():
        if name not in now or not identical(value, now[name]):
            now[name] = value
