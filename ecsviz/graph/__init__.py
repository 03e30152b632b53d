"""Graph: `EntityDependencyGraph`, cycles, order, and its two DataFrames.

Nodes and references stand in arrays, whoever made them: entities, classes, a store, a foreign
database. May import ``domain/`` and what is below. Begin reading at ``dependency_graph.py``, then
``arrays.py`` (how entities become arrays) and ``cycle_search.py``.
"""

from ecsviz.basics.lazy import lazy

# Named in pickles that were written before there were folders.
__getattr__ = lazy(
    __name__,
    {
        "CycleStatus": "ecsviz.graph.dependency_graph",
        "EntityDependencyGraph": "ecsviz.graph.dependency_graph",
    },
)
