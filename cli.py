"""The `atlas` command."""


def main() -> None:
    """Entry point."""
