"""A work chain as none may be: its context cannot be stored, so that it cannot be resumed."""

from __future__ import annotations

import threading

from aiida.engine import ProcessSpec, WorkChain


class UnsaveableWorkChain(WorkChain):
    """Put a lock into the context, and go on."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.outline(cls.spoil, cls.go_on)

    def spoil(self) -> None:
        self.ctx.lock = threading.Lock()

    def go_on(self) -> None:
        self.report("AiiDA does not mind")
