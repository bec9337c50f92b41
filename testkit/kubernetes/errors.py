"""The one error of this package."""


class ClusterError(Exception):
    """Something about the local cluster failed; the text says what, with the last lines of the log behind it."""


def last_lines(text: str, count: int = 20) -> str:
    """Returns the last `count` lines of `text`, indented, for the text of an error."""
    return "\n".join(f"    {line}" for line in text.splitlines()[-count:])
