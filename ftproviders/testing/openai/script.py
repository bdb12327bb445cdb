"""The faults that an emulator is to play, and those that it has played."""

from __future__ import annotations

from collections.abc import Sequence

from ftproviders.testing.memory.store import Store, Transaction
from ftproviders.testing.openai.faults import Firing, WireFault

__all__ = ["FaultScript"]


class FaultScript:
    """Scripted faults, kept with the emulator's other state.

    Args:
        store: Where they are kept.
        fault: The class of this emulator's faults.
        firing: The class of what it has played.
    """

    def __init__(
        self, store: Store, *, fault: type[WireFault] = WireFault, firing: type[Firing] = Firing
    ) -> None:
        self._store = store
        self._fault = fault
        self._firing = firing

    def inject(self, *faults: WireFault) -> None:
        """Add faults; one whose id is known already is left as it is."""
        with self._store.transaction() as state:
            for fault in faults:
                key = fault.id or f"fault-{state.next_number('fault')}"
                if state.get("fault", key) is None:
                    script = fault.model_copy(update={"id": key}).model_dump(mode="json")
                    state.put("fault", key, {"fault": script, "seen": 0})

    def clear(self) -> None:
        """Forget every fault; `firings` stays."""
        with self._store.transaction() as state:
            for entry in state.all("fault"):
                state.delete("fault", entry["fault"]["id"])

    @property
    def firings(self) -> Sequence[Firing]:
        """The faults that have fired, oldest first."""
        with self._store.transaction() as state:
            return [self._firing.model_validate(entry) for entry in state.all("firing")]

    def due(
        self, state: Transaction, operation: str | None, *, number: int, at: str
    ) -> Sequence[WireFault]:
        """Count a request against every fault that matches; return and note those that fire now."""
        due: list[WireFault] = []
        for entry in state.all("fault"):
            fault = self._fault.model_validate(entry["fault"])
            if fault.operation not in ("*", operation):
                continue
            if not fault.kind.misbehaviour and any(not other.kind.misbehaviour for other in due):
                continue  # One lost answer a request; this fault waits for the next.
            entry["seen"] += 1
            state.put("fault", fault.id, entry)
            past = entry["seen"] - fault.nth
            if past < 0 or (fault.times is not None and past >= fault.times):
                continue
            due.append(fault)
            firing = {
                "fault": entry["fault"],
                "operation": operation or "unknown",
                "request": number,
                "at": at,
            }
            state.put("firing", str(state.next_number("firing")), firing)
        return due
