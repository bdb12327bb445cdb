"""Program: the supervisor of one deployment.

    python -m ftproviders.worker.serve PREPARED FINAL

Started by `process.launch`; it leaves its parent, locks the prepared folder and renames it to its
final name. The rename decides between two of one name: it fails where a deployment is already.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
import traceback
from pathlib import Path

from ftproviders.worker import process
from ftproviders.worker.deploydir import DeploymentDirectory
from ftproviders.worker.failures import explain
from ftproviders.worker.rundir import now
from ftproviders.worker.supervisor import Supervisor

__all__ = ["EXISTS", "READY", "main"]

READY = "ready"
"""Word of a supervisor that has made the deployment its own."""
EXISTS = "exists"
"""Word of a supervisor that found the name taken, and left."""


def main() -> int:
    """Be the supervisor; returns the exit code."""
    prepared, final = (DeploymentDirectory(Path(word)) for word in sys.argv[1:3])
    process.daemonize()
    os.umask(0o077)
    process.hold(prepared.lock)
    prepared.write_process("supervisor", os.getpid())
    try:
        prepared.path.rename(final.path)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        shutil.rmtree(prepared.path, ignore_errors=True)
        process.tell_parent(EXISTS)
        return 0
    supervisor = Supervisor(final)

    def stop(*_: object) -> None:
        supervisor.asked_to_stop = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    process.tell_parent(READY)
    try:
        return supervisor.run()
    # The verdict must be written down whatever was raised; the log keeps the traceback.
    except Exception as error:  # noqa: BLE001
        traceback.print_exc()
        message = f"The supervisor failed: {explain(error, {}).message}"
        failure = {"message": message, "code": "supervisor_crashed"}
        final.write_status("failed", ended_at=now(), error=failure)
        return 1


if __name__ == "__main__":
    sys.exit(main())
