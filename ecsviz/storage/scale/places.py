"""Where a reference stands in its holder, from the columns of a folder's references."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from ecsviz.domain.paths import format_path
from ecsviz.storage.scale.layout import ReferencePart
from ecsviz.values.tagged_json import UNREADABLE, from_json


def path_of(part: ReferencePart, position: int | None, key: str | None, target: Any) -> str:
    """Return the place of a reference as text, as the live graph says it.

    Parameters
    ----------
    part
        What kind of reference it is.
    position, key
        As the folder has them.
    target
        The id of what is held, which is the place of a member of a set.

    Notes
    -----
    Keys of dictionaries that are neither texts nor numbers are told as plain values.

    Examples
    --------
    >>> part = ReferencePart("Thread", "messages", "Message", "inverse list", 0, 1)
    >>> path_of(part, 3, None, None)
    'messages[3]'
    >>> part = ReferencePart("Node", "by_either", "Node", "collection", 0, 0, "json")
    >>> path_of(part, 0, '{"$str":"1"}', None), path_of(part, 0, "1", None)
    ("by_either['1']", 'by_either[1]')
    """
    if part.kind == "single":
        return part.field
    if part.kind == "set":
        return format_path(part.field, target)
    if key is None:
        return format_path(part.field, position)
    if part.keys == "place":
        return part.field + key
    if part.keys == "json":
        with contextlib.suppress(*UNREADABLE):
            said = json.loads(key)
            if isinstance(said, dict) and [*said] == ["$str"]:  # a text where numbers may stand
                said = said["$str"]
            return format_path(part.field, from_json(said))
    return format_path(part.field, key)
