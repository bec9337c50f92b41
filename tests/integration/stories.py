"""Stories that are told side by side, since they mostly wait: one test for each, and no longer than the longest."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from testkit.factories import NewTeam
from testkit.team import Team

TELLERS = 8
"""Stories at a time."""
LONGEST = 280.0
"""Seconds that a test waits for its story."""

Story = Callable[[Team], None]


class Stories:
    """What became of each story, by name."""

    def __init__(self, outcomes: Mapping[str, Future[None]]) -> None:
        self._outcomes = outcomes

    def hear(self, name: str) -> None:
        """Wait for the end of a story, and fail where it failed."""
        self._outcomes[name].result(LONGEST)


@contextlib.contextmanager
def side_by_side(new_team: NewTeam, stories: Mapping[str, Story]) -> Iterator[Stories]:
    """Tell all stories, each with a team of its own."""
    with ThreadPoolExecutor(TELLERS) as pool:
        yield Stories({name: pool.submit(story, new_team()) for name, story in stories.items()})
