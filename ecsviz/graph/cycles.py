"""What a listing of cycles consists of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ecsviz.domain.walk import Reference, node_name
from ecsviz.graph.cells import cycles_html


class Cycle:
    """An elementary cycle, with the references that close it.

    Attributes
    ----------
    nodes
        The entities in the order of the arrows, each once.
    references
        Every reference from one to the next; where several join the same two, all of them.

    Examples
    --------
    >>> import ecsviz as ev
    >>> cycle = ev.EntityDependencyGraph(ev.sample("two_cycle")).get_cycles()[0]
    >>> len(cycle), cycle
    (2, Cycle(Node.links[0] -> Node.links[0]))
    """

    __slots__ = ("nodes", "references")

    def __init__(self, nodes: list[Any], references: list[Reference]) -> None:
        self.nodes = nodes
        self.references = references

    def __len__(self) -> int:
        return len(self.nodes)

    def __repr__(self) -> str:
        steps: dict[int, list[str]] = {}
        for reference in self.references:
            steps.setdefault(id(reference.source), []).append(reference.path)
        parts = [f"{node_name(node)}.{_joined(steps[id(node)])}" for node in self.nodes]
        if len(parts) > 6:
            parts = [*parts[:5], f"… {len(parts) - 6} more", parts[-1]]
        return f"Cycle({' -> '.join(parts)})"


def _joined(paths: list[str]) -> str:
    more = [f"… {len(paths) - 3} more"] if len(paths) > 3 else []
    return " | ".join(paths[:3] + more)


class CycleList(list[Cycle]):
    """A list of cycles that says whether there are more.

    Attributes
    ----------
    complete
        Whether these are all elementary cycles.
    reason
        Why the listing ended early; empty if it did not.
    """

    def __init__(self, cycles: Iterable[Cycle] = (), reason: str = "") -> None:
        super().__init__(cycles)
        self.reason = reason

    @property
    def complete(self) -> bool:
        """Whether these are all elementary cycles."""
        return not self.reason

    def __repr__(self) -> str:
        shown = list(self[:20])
        text = ", ".join(repr(cycle) for cycle in shown)
        if len(self) > len(shown):
            text += f", … {len(self) - len(shown)} more"
        if self.complete:
            return f"[{text}]"
        return (
            f"[{text}] ({len(self):,} cycles listed, shortest first; there are more: {self.reason})"
        )

    def _repr_html_(self) -> str:
        return cycles_html(self)
