"""Where a reference stands in its holder, from the columns of a folder's references."""

from __future__ import annotations

from uuid import UUID

from ecsviz.domain.paths import format_path


def path_of(kind: str, field: str, position: int | None, key: str | None, target: UUID) -> str:
    """Return the place of a reference as text, as the live graph says it.

    Examples
    --------
    >>> path_of("inverse list", "messages", 3, None, UUID(int=1))
    'messages[3]'
    """
    if kind == "single":
        return field
    if kind == "set":
        return format_path(field, target)
    return field + key if key is not None else format_path(field, position)
