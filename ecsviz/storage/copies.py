"""Copies of the values of fields, in which other objects may stand for some parts."""

from __future__ import annotations

import copy
import dataclasses
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from datetime import datetime, time
from typing import Any

from pydantic import BaseModel

from ecsviz.domain.objects import ATOMS
from ecsviz.values.tagged_json import settled


def copied(value: Any, swap: Callable[[Any], Any], depth: int = 0) -> Any:
    """Return a copy of a value, with other objects in the places of some.

    Parameters
    ----------
    value
        Whatever passed the checks.
    swap
        Asked first for every part; what it returns, if not ``NotImplemented``, stands for it.
    depth
        How deep `value` stands in what is copied.
    """
    kind: Any = type(value)
    found = swap(value)
    if found is NotImplemented and kind in ATOMS:
        found = settled(value) if kind in (datetime, time) else value
    if found is not NotImplemented:
        return found
    if kind in (list, tuple, set, frozenset):
        return kind(copied(part, swap, depth + 1) for part in value)
    if isinstance(value, deque):
        return kind((copied(part, swap, depth + 1) for part in value), value.maxlen)
    if isinstance(value, tuple):  # a named one
        return kind(*(copied(part, swap, depth + 1) for part in value))
    if isinstance(value, Mapping):
        items = ((copied(k, swap, depth + 1), copied(v, swap, depth + 1)) for k, v in value.items())
        given = (value.default_factory,) if isinstance(value, defaultdict) else ()
        return dict(items) if kind is dict else kind(*given, dict(items))
    if isinstance(value, BaseModel):
        return _copied_model(value, swap, depth)
    if dataclasses.is_dataclass(value):
        made = object.__new__(kind)
        for field in dataclasses.fields(value):
            part = copied(getattr(value, field.name), swap, depth + 1)
            object.__setattr__(made, field.name, part)
        return made
    return copy.deepcopy(value)


def _copied_model(model: Any, swap: Callable[[Any], Any], depth: int) -> Any:
    kind: Any = type(model)
    made = kind.__new__(kind)
    state = model.__getstate__()
    for part in ("__dict__", "__pydantic_extra__", "__pydantic_private__"):
        if state.get(part) is not None:  # root models have but their root
            state[part] = {n: copied(v, swap, depth + 1) for n, v in state[part].items()}
    state["__pydantic_fields_set__"] = set(state["__pydantic_fields_set__"])
    made.__setstate__(state)
    return made
