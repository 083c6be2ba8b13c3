"""The verbs of the `atlas` command, one module each; `cli.py` puts them together."""
