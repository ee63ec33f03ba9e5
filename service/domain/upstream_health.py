"""How the upstream has been doing lately: told to the operator, and no reason to refuse anybody."""

from __future__ import annotations

from service.errors import UpstreamError

_FAILING_AFTER = 3


class UpstreamHealth:
    """Counts failures in a row; one answer makes it well again. A refused request says nothing of its health."""

    def __init__(self) -> None:
        self.failures_in_a_row = 0

    @property
    def is_failing(self) -> bool:
        return self.failures_in_a_row >= _FAILING_AFTER

    def note(self, error: Exception | None) -> None:
        if error is None:
            self.failures_in_a_row = 0
        elif isinstance(error, UpstreamError) and error.type != "upstream_rejected":
            self.failures_in_a_row += 1
