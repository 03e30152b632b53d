"""Tell whether two graphs are the same, and where they first differ."""

from ecsviz.domain.isomorphic import find_difference, isomorphic

__all__ = ["find_difference", "isomorphic"]
