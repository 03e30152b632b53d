"""What makes a class an entity class: its metaclass, and which definition of it is the newest.

A notebook cell that is run again defines its class anew. Both definitions stand for one type:
an instance of the one passes where the other is asked for, and storage goes by the newest.
"""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from ecsviz.basics.once import making
from ecsviz.domain.redefined import named_anew

if TYPE_CHECKING:
    # For type checkers only: it carries the dataclass_transform that types constructors.
    from pydantic._internal._model_construction import ModelMetaclass as ModelMeta
else:
    # There is no public name for pydantic's metaclass; type() of its base class gives it.
    ModelMeta = type(BaseModel)

_newest: weakref.WeakValueDictionary[tuple[str, str], type] = weakref.WeakValueDictionary()
_alive: weakref.WeakSet[type] = weakref.WeakSet()
"""Every definition that somebody still holds, also those that are not the newest."""
_defined = [0]
"""How many definitions there have been, as its one item."""


class EntityMeta(ModelMeta):
    """The metaclass of entity classes.

    It notes every definition under its module and qualified name, and lets ``isinstance``
    accept an instance whose class was defined anew under the same name.
    """

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: Any, **kwargs: Any) -> None:
        super().__init__(name, bases, namespace, **kwargs)
        with making:
            replaces = newest_definition(cls) is not cls
            _newest[type_key(cls)] = cls
            _defined[0] += 1
            if not cls.__module__.startswith("ecsviz."):
                _alive.add(cls)
                if replaces and is_found_by_name(cls):
                    named_anew(list(_alive), _newest_entity_class)

    def __instancecheck__(cls, instance: Any) -> bool:
        kind = type(instance)
        if cls in kind.__mro__:
            return True
        if not isinstance(kind, EntityMeta):
            return False
        key = type_key(cls)
        return any(type_key(base) == key for base in kind.__mro__ if isinstance(base, EntityMeta))


def type_key(cls: type) -> tuple[str, str]:
    """Return the module and qualified name under which `cls` was defined."""
    return cls.__module__, cls.__qualname__


def newest_definition(cls: type) -> type:
    """Return the definition of `cls` that was made last under its name."""
    return _newest.get(type_key(cls), cls)


def _newest_entity_class(cls: type) -> type:
    """Return the newest definition of an entity class; another class of its name is another."""
    return newest_definition(cls) if is_entity_class(cls) else cls


def is_found_by_name(cls: type) -> bool:
    """Tell whether what is written in its module can mean `cls`, and then what replaces it.

    Notes
    -----
    Not a function's local class, nor what a generic class was parametrized to.
    """
    about = getattr(cls, "__pydantic_generic_metadata__", None) or {}
    local = "<locals>" in cls.__qualname__ or about.get("origin") is not None
    return cls.__module__ in sys.modules and not local


def definitions() -> tuple[int, int]:
    """Return what is another one whenever a class was defined, or one is gone.

    What is known of a class by those it names holds for as long as this stays the same.
    """
    return _defined[0], len(_newest)


def same_type(a: type, b: type) -> bool:
    """Tell whether `a` and `b` are two definitions of one type."""
    return a is b or type_key(a) == type_key(b)


def derives_from(cls: type, base: type) -> bool:
    """Tell whether `cls` is `base` or a subclass of it, in whichever definition of `base`.

    Notes
    -----
    ``issubclass`` says no when the cell of `base` was run again after that of `cls`.
    """
    return any(same_type(step, base) for step in cls.__mro__)


def is_entity_class(kind: object) -> bool:
    """Tell whether `kind` is a subclass of ``Entity`` (or ``Entity`` itself)."""
    return isinstance(kind, EntityMeta)


def known_entity_classes() -> list[type]:
    """Return every entity class that is defined now, newest definitions only, by name."""
    with making:  # no other thread defines one meanwhile
        found = list(_newest.items())
    return [cls for _, cls in sorted(found)]


def classes_named(name: str) -> list[type]:
    """Return the newest definitions of all entity classes that are called `name`."""
    return [cls for cls in known_entity_classes() if cls.__name__ == name]


# -- names in dumps --------------------------------------------------------------------------


def type_name(cls: type) -> str:
    """Return the name of a class in a dump: with its module where several share the name."""
    namesakes = [other for other in known_entity_classes() if other.__name__ == cls.__name__]
    for name in names_of(cls):
        fit = shadowing([other for other in namesakes if name in names_of(other)])
        if len(fit) == 1 and same_type(fit[0], cls):
            return name
    return names_of(cls)[-1]


def names_of(cls: type) -> tuple[str, ...]:
    """Return the names under which a dump may know a class, the shortest first."""
    name, module = cls.__name__, cls.__module__
    return tuple(dict.fromkeys((name, f"{module}.{name}", f"{module}.{cls.__qualname__}")))


def shadowing(classes: list[type]) -> list[type]:
    """Leave out the ready-made classes where the user has defined others of their name."""
    users = [cls for cls in classes if not cls.__module__.startswith("ecsviz.")]
    return users or classes
