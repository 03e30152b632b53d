"""Entity graphs in Jupyter: see their cycles, store them whole, get the same graph back."""

from __future__ import annotations

import typing as _t

from ecsviz.basics.lazy import lazy as _lazy
from ecsviz.basics.lazy import stand_in as _stand_in
from ecsviz.basics.views import connect as _connect
from ecsviz.domain.cells import show_lists as _show_lists
from ecsviz.domain.chat import ChatMessage, ChatThread, MessagePart
from ecsviz.domain.chat_threads import ChatThreads
from ecsviz.domain.columns import column
from ecsviz.domain.diff import GraphDiff, diff
from ecsviz.domain.entity import Entity
from ecsviz.domain.fields import reference
from ecsviz.domain.walk import Reference
from ecsviz.errors import EcsvizError
from ecsviz.graph.cycles import Cycle
from ecsviz.graph.dependency_graph import CycleStatus, EntityDependencyGraph

if _t.TYPE_CHECKING:
    from ecsviz.domain.model_entities import entity_class
    from ecsviz.draw.anything import draw
    from ecsviz.frames.from_frames import from_frames
    from ecsviz.frames.from_networkx import from_networkx
    from ecsviz.frames.to_frames import to_frames
    from ecsviz.graph.graph_of import graph_of
    from ecsviz.importers import iterate_chats, read_chat
    from ecsviz.importers.database import read_database
    from ecsviz.importers.samples import sample
    from ecsviz.storage.memory.store import InMemoryEntityStorage
    from ecsviz.storage.protocol import EntityStorage
    from ecsviz.storage.relational.class_tables import tables_of
    from ecsviz.storage.relational.store import SQLAlchemyEntityStorage
    from ecsviz.storage.save_plan import SavePlan
    from ecsviz.storage.scale.lazy_graph import LazyGraph
    from ecsviz.storage.scale.opening import scan_graph
    from ecsviz.widgets.graph.anything import explore

__version__ = "0.1.0"
__all__ = [
    "ChatMessage",
    "ChatThread",
    "ChatThreads",
    "Cycle",
    "CycleStatus",
    "EcsvizError",
    "Entity",
    "EntityDependencyGraph",
    "EntityStorage",
    "GraphDiff",
    "InMemoryEntityStorage",
    "LazyGraph",
    "MessagePart",
    "Reference",
    "SQLAlchemyEntityStorage",
    "SavePlan",
    "column",
    "diff",
    "draw",
    "entity_class",
    "explore",
    "from_frames",
    "from_networkx",
    "graph_of",
    "iterate_chats",
    "read_chat",
    "read_database",
    "reference",
    "sample",
    "scan_graph",
    "tables_of",
    "to_frames",
]

# What brings SQLAlchemy and the importers with it is loaded when it is asked for, so that
# `import ecsviz` takes no longer than what it stands on. (`diff` cannot be: its room has its name.)
_ROOMS = {
    "EntityStorage": "ecsviz.storage.protocol",
    "InMemoryEntityStorage": "ecsviz.storage.memory.store",
    "LazyGraph": "ecsviz.storage.scale.lazy_graph",
    "SQLAlchemyEntityStorage": "ecsviz.storage.relational.store",
    "SavePlan": "ecsviz.storage.save_plan",
    "entity_class": "ecsviz.domain.model_entities",
    "explore": "ecsviz.widgets.graph.anything",
    "from_frames": "ecsviz.frames.from_frames",
    "from_networkx": "ecsviz.frames.from_networkx",
    "graph_of": "ecsviz.graph.graph_of",
    "iterate_chats": "ecsviz.importers",
    "read_chat": "ecsviz.importers",
    "read_database": "ecsviz.importers.database",
    "sample": "ecsviz.samples",
    "scan_graph": "ecsviz.storage.scale.opening",
    "tables_of": "ecsviz.storage.relational.class_tables",
    "to_frames": "ecsviz.frames.to_frames",
}
# Modules with names of their own, reached as `ev.samples.sample_file`.
_MODULES = {
    "chat": "ecsviz.domain.chat",
    "draw": "ecsviz.draw",
    "export": "ecsviz.export",
    "importers": "ecsviz.importers",
    "isomorphic": "ecsviz.isomorphic",
    "lessons": "ecsviz.widgets.lesson.lessons",
    "samples": "ecsviz.samples",
    "scale": "ecsviz.storage.scale",
}
__getattr__ = _lazy(__name__, _ROOMS, _MODULES)
_show_lists()

# Who answers where a class says that it can be drawn, explored or written (`basics.views`).
_connect(
    {
        "CatchingUp.resolve": "ecsviz.widgets.explore_conflicts",
        "ChatThread.draw_timeline": "ecsviz.draw.draw_timeline",
        "ChatThread.explore": "ecsviz.widgets.explore_thread",
        "ClassTables.draw": "ecsviz.draw.draw_schema",
        "ChatThread.to_html": "ecsviz.export.chat_page.thread_page",
        "ChatThread.to_markdown": "ecsviz.export.to_markdown",
        "Database.draw_schema": "ecsviz.draw.draw_schema",
        "WithAdvice.explore": "ecsviz.widgets.explore_database",
        "GraphDiff.draw": "ecsviz.draw.draw_diff",
        "GraphViews._stored_walkthrough": (
            "ecsviz.storage.relational.walkthrough.stored_walkthrough"
        ),
        "GraphViews.draw": "ecsviz.draw.draw_graph",
        "GraphViews.explore": "ecsviz.widgets.explore_graph",
        "GraphViews.to_cytoscape": "ecsviz.export.to_cytoscape",
        "GraphViews.to_dot": "ecsviz.export.to_dot",
        "GraphViews.to_frames": "ecsviz.frames.to_frames.to_frames",
        "GraphViews.to_graphml": "ecsviz.export.to_graphml",
        "GraphViews.to_json": "ecsviz.export.to_json",
        "GraphViews.to_mermaid": "ecsviz.export.to_mermaid",
        "GraphViews.to_node_link": "ecsviz.export.to_node_link",
        "GraphViews.to_parquet": "ecsviz.export.to_parquet",
        "InMemoryEntityStorage.draw_schema": "ecsviz.draw.draw_schema",
        "LazyGraph.explore": "ecsviz.widgets.explore_lazy",
        "StoreFrames.to_parquet": "ecsviz.storage.scale.writing.to_parquet",
        "StoreUpkeep.from_parquet": "ecsviz.storage.scale.filling.from_parquet",
        "StoreTables.draw_schema": "ecsviz.draw.draw_schema",
        "ThreadViews.draw_activity": "ecsviz.draw.draw_activity",
        "ThreadViews.draw_lengths": "ecsviz.draw.draw_lengths",
        "ThreadViews.draw_models": "ecsviz.draw.draw_models",
        "ThreadViews.explore": "ecsviz.widgets.explore_threads",
        "ThreadViews.frame": "ecsviz.frames.chats.messages_frame",
        "ThreadViews.summary": "ecsviz.frames.chats.threads_summary",
        "ThreadViews.to_chatgpt": "ecsviz.export.to_chatgpt",
        "ThreadViews.to_oasst": "ecsviz.export.to_oasst",
        "ToHtml.to_html": "ecsviz.export.page.to_html",
        "VersionedStorage.draw_lineage": "ecsviz.draw.lineage.draw_family",
        "VersionedStorage.explore": "ecsviz.widgets.explore_store",
        "VersionedStorage.side_by_side": "ecsviz.widgets.explore_sides",
        "Walkthrough._ipython_display_": "ecsviz.widgets.lesson.walkthrough.show",
        "Walkthrough._repr_html_": "ecsviz.widgets.lesson.walkthrough.still_html",
        "Walkthrough.draw": "ecsviz.draw.draw_walkthrough",
        "Walkthrough.explore": "ecsviz.widgets.explore_steps",
    }
)
# Pickles, and examples that people copied, name modules as they were before there were folders;
# `ecsviz.lessons` and `ecsviz.scale` are names that lead to their rooms.
for _old, _new in {
    "changes": "storage.relational.upkeep.class_changes",
    "cycles": "graph.cycles",
    "diff": "domain.diff",
    "fields": "domain.fields",
    "importers.base": "importers.chat.drafts",
    "importers.building": "importers.chat.building",
    "importers.source": "importers.chat.source",
    "lessons": "widgets.lesson.lessons",
    "scale": "storage.scale",
    "plan": "storage.save_plan",
    "references": "domain.walk",
    "state": "domain.objects",
}.items():
    _stand_in(f"ecsviz.{_old}", f"ecsviz.{_new}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS, *_MODULES})
