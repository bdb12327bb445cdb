"""Program: ``torchrun`` that ends with its worker and says in a file which process failed how.

Started by `launching` as ``python -m ftproviders.worker.agent WORKER REPORT ARGUMENT...`` with
torchrun's own arguments. On further machines plain ``torchrun`` does the same.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ftproviders.worker import process
from ftproviders.worker.rundir import write_json

__all__ = ["AGENT_VARIABLE", "main"]

AGENT_VARIABLE = "FTPROVIDERS_AGENT_PID"
"""Tells the processes whom they must not outlive."""


def main() -> int:
    """Start the processes of this machine and wait for them; returns the exit code."""
    worker, report, arguments = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    process.die_with_parent(worker)
    os.environ[AGENT_VARIABLE] = str(os.getpid())
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    try:
        run.run(run.parse_args(arguments))
    except ChildFailedError as error:
        failures = [
            {"rank": rank, "exit_code": failure.exitcode}
            for rank, failure in sorted(error.failures.items())
        ]
        write_json(report, {"failures": failures})
        return 1
    except SignalException:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
