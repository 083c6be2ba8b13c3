"""Jobs for the killable child. Each module stands alone: `child_main.py` loads it by its file, without the package.

A job takes and returns JSON values and raises `ValueError` with a message for the caller.
"""
