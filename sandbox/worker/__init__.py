"""What runs inside the worker process. Nothing here may import a host module or anything outside the standard library
but RestrictedPython."""
