"""What each column of a class's tables says, in words."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from ecsviz.storage.relational.schema.class_maps import ClassMap

OWN: Final[dict[str, str]] = {
    "id": "the row, in this database",
    "ecs_id": "which entity",
    "ecs_lineage_id": "which family",
    "ecs_parent_id": "from which it was forked",
    "ecs_version": "which version of it",
    "ecs_revision": "since which revision",
    "ecs_checksum": "what its values are, to find damage",
    "ecs_seal": "that nobody else has written",
    "ecs_exact": "what columns cannot hold exactly",
}
"""What the columns say that every table has."""


def says_of(known: ClassMap) -> dict[sa.Column[Any], str]:
    """Return what the columns say: which field, or what of the entity, they hold."""
    says = {
        column: OWN[column.name]
        for each in known.tables
        for column in each.columns
        if column.name in OWN
    }
    says |= {value.column: value.name for value in known.values}
    for ref in known.singles:
        for target, column in ref.arcs.items():
            says[column] = ref.name if len(ref.arcs) == 1 else f"{ref.name}, if a {target}"
        if ref.position is not None:
            says[ref.position] = f"its place in the {ref.inverse} of its {ref.name}"
    for collection in known.collections:
        owner, position, *_ = collection.table.columns
        says[owner] = f"who holds it in {collection.name}"
        says[position] = f"its place in {collection.name}"
        says |= dict.fromkeys(collection.arcs.values(), f"what is held in {collection.name}")
        if collection.key is not None:
            says[collection.key.column] = f"its key in {collection.name}"
        if collection.skeleton is not None:
            says[collection.skeleton.column] = f"{collection.name}, around what is held"
    return says
