"""When people are told of a trouble, and when that it is over. Pure functions.

Whatever lasts long enough is told once, and once more when it is over: when it was not seen for `CLEAR` seconds. An
alert that comes again within the cooldown is told when that has passed, if it still fires then.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from services.monitor.model import Key, Notice, Trouble

COOLDOWN = 15 * 60.0
"""Seconds between two messages that the same alert fires."""

CLEAR = 60.0
"""Seconds without a trouble after which it is over."""


@dataclass(frozen=True)
class Episode:
    """A trouble from when it was first seen to when it is over."""

    trouble: Trouble
    since: float
    seen: float
    told: bool = False

    @property
    def fires(self) -> bool:
        """It has lasted long enough."""
        return self.seen - self.since >= self.trouble.lasts

    @property
    def notice(self) -> Notice:
        """What there is to tell of it."""
        return Notice(self.trouble, self.since)


@dataclass(frozen=True)
class Episodes:
    """All that go on, and when people were last told of which alert."""

    open: Mapping[Key, Episode] = field(default_factory=dict)
    told: Mapping[Key, float] = field(default_factory=dict)

    @property
    def firing(self) -> list[Episode]:
        """Those that lasted long enough, the oldest first."""
        return sorted((each for each in self.open.values() if each.fires), key=lambda each: each.since)


def advance(
    before: Episodes, troubles: Iterable[Trouble], unknown: Collection[Key], now: float
) -> tuple[Episodes, list[Notice]]:
    """The episodes after a measurement, and what people are told. What is `unknown` goes on as it is."""
    current = {trouble.key: trouble for trouble in troubles}
    notices, going = [], {}
    for key, episode in before.open.items():
        if key not in current and key not in unknown and now - episode.seen >= CLEAR:
            notices += [replace(episode.notice, end_time=now)] if episode.told else []
        else:
            going[key] = replace(episode, seen=now) if key in unknown and episode.fires else episode
    told = {key: time for key, time in before.told.items() if now - time < COOLDOWN}
    for key, trouble in current.items():
        since = going[key].since if key in going else now
        episode = Episode(trouble, since, now, key in going and going[key].told)
        if episode.fires and not episode.told and key not in told:
            episode, told[key] = replace(episode, told=True), now
            notices.append(episode.notice)
        going[key] = episode
    return Episodes(going, told), notices
