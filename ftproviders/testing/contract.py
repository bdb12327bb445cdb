"""The contract that every training adapter keeps, ours and a third party's.

Subclass `AdapterContract` in a test file and give it a rig::

    class TestMine(AdapterContract):
        @pytest.fixture(scope="class")
        @classmethod
        def rig(cls):
            rig = MyRig()
            yield rig
            rig.close()

A test takes nothing but the rig, and has no branch for a provider. Where a provider differs, say so
by overriding the test with a marker ``notimpl``, ``notyet`` or ``never`` and a reason.
"""

from __future__ import annotations

from ftproviders.testing.contract_export import ExportContract
from ftproviders.testing.contract_info import AssessContract, InfoContract
from ftproviders.testing.contract_jobs import EventContract, JobContract, ListContract
from ftproviders.testing.contract_manners import ErrorContract, MannersContract
from ftproviders.testing.contract_submit import FileContract, FindContract, RequestContract

__all__ = ["AdapterContract"]


class AdapterContract(
    InfoContract,
    AssessContract,
    FileContract,
    RequestContract,
    FindContract,
    JobContract,
    EventContract,
    ListContract,
    ExportContract,
    ErrorContract,
    MannersContract,
):
    """Everything that a training adapter promises."""
