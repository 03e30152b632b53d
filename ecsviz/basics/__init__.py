"""Basics: tools that know no entity.

HTML, progress, lazy loading, optional packages, Python's garbage collector, arrays and order of
directed graphs, text, views by word. They may import ``ecsviz.errors`` and each other, nothing
else of the project. Begin reading at ``views.py``: it is how low classes have high methods.
"""
