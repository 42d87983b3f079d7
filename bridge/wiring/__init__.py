"""COMPOSITION: which object is given to which. One module for each thing that ``bridge.app`` is put together from.

Nothing below knows it, and nothing in it decides about people: it builds, and hands on.
"""
