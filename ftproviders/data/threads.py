"""Looking at one file with several threads, for the native engine, which lets others run.

To start them costs nothing, and they share the memory of one process. What the extension refuses
is looked at in Python, one thread at a time, so this is for files of which it takes nearly all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from ftproviders.data.engines import NativeEngine
from ftproviders.data.native import native
from ftproviders.data.scan import Job, Part, join_parts, scan_part
from ftproviders.data.stream import Digest, open_data_file
from ftproviders.schema.hyperparameters import Method

__all__ = ["ahead", "digest_of", "scan_in_threads", "suit_threads"]

_CHUNK_BYTES = 1024 * 1024
_SAMPLE_BYTES = 128 * 1024
_MOST_REFUSED = 0.02
_SECONDS_BETWEEN_REPORTS = 0.1


class _Stopped(Exception):  # noqa: N818 - ends the threads, never seen outside
    """Nobody waits for the result any more."""


def suit_threads(jobs: Sequence[Job]) -> bool:
    """Say whether the native engine takes nearly all rows at the beginning of each part."""
    if not native() or jobs[0].method is not Method.SUPERVISED:
        return False
    engine = NativeEngine()
    lines = refused = 0
    with closing(open_data_file(jobs[0].path)) as file:
        for job in jobs:
            file.seek(job.start)
            sample = file.read(_SAMPLE_BYTES)
            seen = engine.sample(sample[: sample.rfind(b"\n") + 1])
            lines, refused = lines + seen[0], refused + seen[1]
    return refused <= lines * _MOST_REFUSED


def scan_in_threads(
    jobs: Sequence[Job],
    *,
    size: int,
    digest: bool,
    on_progress: Callable[[int, int], None] | None,
) -> tuple[Part, str, int]:
    """Look at the parts of a file, each in a thread; see `scan_with_workers`."""
    done = [0] * len(jobs)
    stopped = False

    def scan(index: int) -> Part:
        def note(read: int, _: int) -> None:
            if stopped:
                raise _Stopped
            done[index] = read

        return scan_part(jobs[index], note)

    with ThreadPoolExecutor(len(jobs)) as pool:
        try:
            running = [pool.submit(scan, index) for index in range(len(jobs))]
            if digest:
                sha256, seen = digest_of(jobs[0].path, size, on_progress)
            else:
                sha256, seen = "", _wait(running, done, size, on_progress)
            return join_parts([one.result() for one in running]), sha256, seen
        finally:
            stopped = True


def _wait(
    running: Sequence[Future[Part]],
    done: list[int],
    size: int,
    on_progress: Callable[[int, int], None] | None,
) -> int:
    """Wait for all threads; return the bytes read."""
    pause = _SECONDS_BETWEEN_REPORTS if on_progress else None
    while wait(running, timeout=pause).not_done:
        if on_progress:
            on_progress(sum(done), max(size, sum(done)))
    if on_progress:
        on_progress(sum(done), max(size, sum(done)))
    return sum(done)


def digest_of(
    path: Path, size: int, on_progress: Callable[[int, int], None] | None
) -> tuple[str, int]:
    """Return the SHA-256 of a file, and its size as it was read."""
    digest, seen = Digest(in_thread=False), 0
    with closing(open_data_file(path)) as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            seen += len(chunk)
            if on_progress is not None:
                on_progress(seen, max(size, seen))
    return digest.hexdigest(), seen


_Result = TypeVar("_Result")


def ahead(work: Callable[[int], _Result], count: int, threads: int) -> Iterator[_Result]:
    """Yield what `work` makes of the numbers below `count`, a few of which are worked on ahead."""
    if min(threads, count) < 2:
        yield from map(work, range(count))
        return
    waiting: deque[Future[_Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for number in range(count):
            waiting.append(pool.submit(work, number))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
