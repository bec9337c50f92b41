"""From what looks different in an account to the resources that are due."""

from fireworks_operator.controller.accounts.bindings import Bindings
from fireworks_operator.controller.accounts.observer import Changed

from .queue import Priority, WorkQueue


class EnqueueBound:
    """Puts the resources into the queue whose deployments look different."""

    def __init__(self, queue: WorkQueue, bindings: Bindings) -> None:
        """Connect the two."""
        self._queue = queue
        self._bindings = bindings

    def on_change(self, changed: Changed) -> None:
        """Have each resource looked at that is concerned; how far a creation has come waits for all else."""
        if changed.names is None:
            refs = self._bindings.of_account(changed.account)
        else:
            refs = [*self._bindings.of_deployments(changed.names - changed.in_progress)]
        for ref in refs:
            self._queue.add(ref)
        for ref in self._bindings.of_deployments(changed.in_progress):
            self._queue.add(ref, Priority.PROGRESS)
