"""Entity graphs in Jupyter: see their cycles, store them whole, get the same graph back."""

from __future__ import annotations

import typing as _t

from ecsviz.chat import ChatMessage, ChatThread
from ecsviz.cycles import Cycle
from ecsviz.diff import GraphDiff, diff
from ecsviz.entity import Entity
from ecsviz.errors import EcsvizError
from ecsviz.fields import reference
from ecsviz.graph import CycleStatus, EntityDependencyGraph
from ecsviz.lazy import lazy as _lazy
from ecsviz.references import Reference

if _t.TYPE_CHECKING:
    from ecsviz.frames_in import from_frames
    from ecsviz.frames_networkx import from_networkx
    from ecsviz.frames_out import to_frames
    from ecsviz.importers import read_chat
    from ecsviz.importers.database import read_database
    from ecsviz.memory import InMemoryEntityStorage
    from ecsviz.plan import SavePlan
    from ecsviz.protocol import EntityStorage
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

# What brings SQLAlchemy and the importers with it is loaded when it is asked for, so that
# `import ecsviz` takes no longer than what it stands on. (`diff` cannot be: its room has its name.)
_ROOMS = {
    "EntityStorage": "ecsviz.protocol",
    "InMemoryEntityStorage": "ecsviz.memory",
    "SQLAlchemyEntityStorage": "ecsviz.storage",
    "SavePlan": "ecsviz.plan",
    "from_frames": "ecsviz.frames_in",
    "from_networkx": "ecsviz.frames_networkx",
    "read_chat": "ecsviz.importers",
    "read_database": "ecsviz.importers.database",
    "sample": "ecsviz.samples",
    "to_frames": "ecsviz.frames_out",
    # Modules with names of their own, reached as `ev.samples.sample_file`.
    "draw": "ecsviz.draw",
    "export": "ecsviz.export",
    "importers": "ecsviz.importers",
    "isomorphic": "ecsviz.isomorphic",
    "samples": "ecsviz.samples",
}
__getattr__ = _lazy(__name__, _ROOMS)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS})
