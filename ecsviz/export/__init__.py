"""Export: graphs and frames in the formats of other tools, and pages to keep.

May import ``frames/``, ``draw/`` and what is below them; nobody below may import it. Each format
has a room. Begin reading at ``formats.py``. Every name below is loaded when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ecsviz.basics.lazy import lazy

if TYPE_CHECKING:
    from ecsviz.basics.files import FileNotWrittenError
    from ecsviz.basics.text import MAX_LABEL, plain
    from ecsviz.export.chat_files import to_chatgpt, to_oasst
    from ecsviz.export.chat_text import to_markdown
    from ecsviz.export.er_diagram import to_er_diagram
    from ecsviz.export.formats import (
        graphml_text,
        to_cytoscape,
        to_dot,
        to_graphml,
        to_json,
        to_networkx,
        to_node_link,
    )
    from ecsviz.export.mermaid import MERMAID_LIMIT, to_mermaid
    from ecsviz.export.parquet import read_parquet, to_parquet
    from ecsviz.export.sheets import to_csv, to_excel

__all__ = [
    "MAX_LABEL",
    "MERMAID_LIMIT",
    "FileNotWrittenError",
    "graphml_text",
    "plain",
    "read_parquet",
    "to_chatgpt",
    "to_csv",
    "to_cytoscape",
    "to_dot",
    "to_er_diagram",
    "to_excel",
    "to_graphml",
    "to_json",
    "to_markdown",
    "to_mermaid",
    "to_networkx",
    "to_node_link",
    "to_oasst",
    "to_parquet",
]

_ROOMS: Final = {
    "FileNotWrittenError": "ecsviz.basics.files",
    **dict.fromkeys(("MAX_LABEL", "plain"), "ecsviz.basics.text"),
    **dict.fromkeys(("to_chatgpt", "to_oasst"), "ecsviz.export.chat_files"),
    "to_er_diagram": "ecsviz.export.er_diagram",
    "to_markdown": "ecsviz.export.chat_text",
    **dict.fromkeys(("MERMAID_LIMIT", "to_mermaid"), "ecsviz.export.mermaid"),
    **dict.fromkeys(("read_parquet", "to_parquet"), "ecsviz.export.parquet"),
    **dict.fromkeys(("to_csv", "to_excel"), "ecsviz.export.sheets"),
    **dict.fromkeys(
        ("graphml_text", "to_cytoscape", "to_dot", "to_graphml", "to_json"),
        "ecsviz.export.formats",
    ),
    **dict.fromkeys(("to_networkx", "to_node_link"), "ecsviz.export.formats"),
}
__getattr__ = lazy(__name__, _ROOMS)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
