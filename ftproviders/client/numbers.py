"""Which numbers of a job count."""

from __future__ import annotations

from collections.abc import Sequence

from ftproviders.schema.job import JobEvent

__all__ = ["last_values"]


def last_values(events: Sequence[JobEvent]) -> list[JobEvent]:
    """Return the events that carry numbers, each number of a step once, in the order of steps.

    A job that was resumed from a checkpoint does some steps again and reports them again: the last
    value of a name at a step counts, and those before it are left out. Events without a step stay
    behind the event that they followed.

    Args:
        events: Oldest first.
    """
    numbers = [event for event in events if event.kind == "metrics"]
    last: dict[tuple[int, str], int] = {}
    for index, event in enumerate(numbers):
        if event.step is not None:
            last |= {(event.step, name): index for name in event.metrics}
    kept: list[tuple[int, JobEvent]] = []
    place = -1
    for index, event in enumerate(numbers):
        if event.step is None:
            kept.append((place, event))
            continue
        place = event.step
        counting = {n: v for n, v in event.metrics.items() if last[event.step, n] == index}
        if counting or not event.metrics:
            whole = len(counting) == len(event.metrics)
            kept.append((place, event if whole else event.model_copy(update={"metrics": counting})))
    return [event for _, event in sorted(kept, key=lambda pair: pair[0])]
