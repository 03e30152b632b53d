"""What a graph can be written as besides pictures: frames, JSON, Parquet."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


class GraphFiles:
    """Methods of `EntityDependencyGraph`, each imported at its first use."""

    def to_frames(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return everything the entities hold as two DataFrames; see ``ecsviz.to_frames``."""
        from ecsviz import frames_out

        return frames_out.to_frames(self)

    def to_parquet(self, folder: str | os.PathLike[str]) -> Path:
        """Write the entities as Parquet; see ``ecsviz.export.to_parquet``."""
        from ecsviz import export

        return export.to_parquet(self, folder)

    def to_node_link(self) -> dict[str, Any]:
        """Return the graph as node-link data; see ``ecsviz.export.to_node_link``."""
        from ecsviz import export

        graph: Any = self
        return export.to_node_link(graph)

    def to_json(self, path: str | os.PathLike[str] | None = None, **options: Any) -> str:
        """Return the graph as node-link JSON text; see ``ecsviz.export.to_json``."""
        from ecsviz import export

        graph: Any = self
        return export.to_json(graph, path, **options)

    def to_graphml(self, path: str | os.PathLike[str]) -> Path:
        """Write the graph as GraphML; see ``ecsviz.export.to_graphml``."""
        from ecsviz import export

        graph: Any = self
        return export.to_graphml(graph, path)

    def to_cytoscape(self) -> dict[str, Any]:
        """Return the graph as Cytoscape JSON; see ``ecsviz.export.to_cytoscape``."""
        from ecsviz import export

        graph: Any = self
        return export.to_cytoscape(graph)
