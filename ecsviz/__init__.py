"""Entity graphs in Jupyter: see their cycles, store them whole, get the same graph back."""

from __future__ import annotations

from ecsviz.chat import ChatMessage, ChatThread
from ecsviz.cycles import Cycle
from ecsviz.diff import GraphDiff, diff
from ecsviz.entity import Entity
from ecsviz.errors import EcsvizError
from ecsviz.fields import reference
from ecsviz.frames_in import from_frames
from ecsviz.frames_networkx import from_networkx
from ecsviz.frames_out import to_frames
from ecsviz.graph import CycleStatus, EntityDependencyGraph
from ecsviz.importers import read_chat
from ecsviz.importers.database import read_database
from ecsviz.memory import InMemoryEntityStorage
from ecsviz.plan import SavePlan
from ecsviz.protocol import EntityStorage
from ecsviz.references import Reference
from ecsviz.samples import sample
from ecsviz.storage import SQLAlchemyEntityStorage

__version__ = "0.1.0"
__all__ = [
    "ChatMessage",
    "ChatThread",
    "Cycle",
    "CycleStatus",
    "EcsvizError",
    "Entity",
    "EntityDependencyGraph",
    "EntityStorage",
    "GraphDiff",
    "InMemoryEntityStorage",
    "Reference",
    "SQLAlchemyEntityStorage",
    "SavePlan",
    "diff",
    "from_frames",
    "from_networkx",
    "read_chat",
    "read_database",
    "reference",
    "sample",
    "to_frames",
]
