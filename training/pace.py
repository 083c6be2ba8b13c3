"""How long something will take, in words."""


def span(seconds: float) -> str:
    """About how long that is, for people."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes < 100 else f"about {seconds / 3600:.1f} h"
