"""Looking at one file with several workers, each at a range of bytes: processes, or threads.

Run as a module this is such a process: it reads a `Job` from standard input and writes its `Part`
to standard output. Nothing else is shared; the process that started it puts the parts together.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

from ftproviders.data.scan import Job, Part, join_parts, scan_part
from ftproviders.data.stream import open_data_file
from ftproviders.data.threads import digest_of, scan_in_threads, suit_threads

__all__ = ["cut", "main", "scan_with_workers", "worker_count"]

_LARGE_BYTES = 64 * 1024 * 1024


def worker_count(asked: int | None, size: int) -> int:
    """Return how many processes look at a file of `size` bytes.

    Args:
        asked: What the user said; None = the cores for a large file, 1 for a small one, where
            starting processes costs more than they bring.
        size: Bytes of the file.
    """
    if not sys.executable or size == 0:
        return 1
    if asked is not None:
        return max(1, min(asked, size))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (cores or 1) if size >= _LARGE_BYTES else 1


def cut(path: Path, size: int, count: int) -> list[tuple[int, int]]:
    """Cut a file into at most `count` ranges, first byte and size, each of whole lines."""
    starts = [0]
    with closing(open_data_file(path)) as file:
        for number in range(1, count):
            file.seek(max(size * number // count - 1, 0))
            file.readline()
            at = file.tell()
            if starts[-1] < at < size:
                starts.append(at)
    return [(a, b - a) for a, b in zip(starts, [*starts[1:], size], strict=True)]


def scan_with_workers(
    job: Job,
    *,
    count: int,
    size: int,
    digest: bool = True,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Part, str, int]:
    """Look at a whole file with several workers, and work out its digest meanwhile.

    They are threads where the native engine takes nearly all rows, because it lets others run
    meanwhile, and processes otherwise.

    Args:
        job: What is to be done with the whole file.
        count: Number of workers.
        size: Bytes of the file.
        digest: Whether the SHA-256 is wanted.
        on_progress: Called with bytes read and bytes in all.

    Returns:
        What was found, the SHA-256 of the file or nothing, and its size as it was read.
    """
    jobs = [
        replace(job, start=start, size=length, tag=f"{job.tag}.{number}")
        for number, (start, length) in enumerate(cut(job.path, size, count))
    ]
    if suit_threads(jobs):
        return scan_in_threads(jobs, size=size, digest=digest, on_progress=on_progress)
    started: list[subprocess.Popen[bytes]] = []
    try:
        if digest:
            started.extend(map(_start, jobs))  # those started are kept when one cannot be
            sha256, seen = digest_of(job.path, size, on_progress)
            parts = [_result(process, one) for process, one in zip(started, jobs, strict=True)]
            return join_parts(parts), sha256, seen
        started.extend(map(_start, jobs[1:]))
        parts = [scan_part(jobs[0], _of_all(on_progress, len(jobs)))]
        parts += [_result(process, one) for process, one in zip(started, jobs[1:], strict=True)]
        return join_parts(parts), "", sum(part.bytes for part in parts)
    finally:
        for process in started:
            _end(process)


def _of_all(
    on_progress: Callable[[int, int], None] | None, count: int
) -> Callable[[int, int], None] | None:
    """Return what tells of all parts what is known of one: they are equal, and begun together."""
    if on_progress is None:
        return None
    return lambda done, whole: on_progress(min(done * count, whole), whole)


def _start(job: Job) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "ftproviders.data.workers"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    if process.stdin is not None:
        with suppress(OSError):  # it has died; the result will say so
            process.stdin.write(pickle.dumps(job))
            process.stdin.close()
        process.stdin = None
    return process


def _result(process: subprocess.Popen[bytes], job: Job) -> Part:
    """Return what a process found; when it died its part is looked at here."""
    output = process.communicate()[0]
    if process.returncode == 0 and output:
        part: Part = pickle.loads(output)  # noqa: S301 - written by the process started above
        return part
    if job.folder is not None:
        for left in job.folder.glob(f"{job.tag}-*"):
            left.unlink()
    return scan_part(job)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def main() -> int:
    """Do one job; see the first lines of this file."""
    import signal

    # The process that started this one says what Ctrl-C means; here it just ends.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    job: Job = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 - written by our own parent
    sys.stdout.buffer.write(pickle.dumps(scan_part(job)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
