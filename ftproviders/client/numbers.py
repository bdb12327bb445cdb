"""Which numbers of a job count."""

from __future__ import annotations

from collections.abc import Sequence

from ftproviders.schema.job import JobEvent

__all__ = ["last_values"]


def last_values(events: Sequence[JobEvent]) -> list[JobEvent]:
    """Return the numbers of each step in one event, in the order of steps.

    What a provider reports of a step in several events, for instance the validation loss after the
    training loss, is put together. A job that was resumed from a checkpoint does some steps again
    and reports them again: the last value of a name at a step counts. Events without a step stay
    behind the event that they followed.

    Args:
        events: Oldest first.

    Returns:
        For each step the last of its events, with the values of all of them.
    """
    steps: dict[int, JobEvent] = {}
    without: list[tuple[int, JobEvent]] = []
    place = -1
    for event in events:
        if event.kind != "metrics":
            continue
        if event.step is None:
            without.append((place, event))
            continue
        place = event.step
        before = steps[place].metrics if place in steps else {}
        steps[place] = event.model_copy(update={"metrics": {**before, **event.metrics}})
    kept = sorted([*steps.items(), *without], key=lambda pair: pair[0])
    return [event for _, event in kept]
