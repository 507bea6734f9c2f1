"""When a request is sent again, and when not.

Sent again is only what cannot run twice: what never reached the service, what it turned away (429, 503), what only
asks, and what carries an Idempotency-Key. All waiting together is bounded.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Optional

from .errors import ConnectionLost, HotcellError, ProblemError, Unreachable


@dataclass(frozen=True)
class Retry:
    attempts: int = 4  # in all; 1: never again
    seconds: float = 30  # of waiting in all
    first_wait: float = 0.1  # doubled each time, where the service does not say how long


class Attempts:
    """Of one request."""

    def __init__(self, policy: Retry, repeatable: bool) -> None:
        self._policy = policy
        self._repeatable = repeatable
        self._made = 0
        self._waited = 0.0
        self.lost = False  # one of them may have reached the service, and was given up

    def wait_after(self, error: HotcellError) -> Optional[float]:
        """Seconds to wait before it is sent again; None: it is not."""
        self._made += 1
        if isinstance(error, ConnectionLost):
            self.lost = True
        if self._made >= self._policy.attempts or not self._may_repeat(error):
            return None
        wait: float = self._policy.first_wait * 2 ** (self._made - 1)
        if isinstance(error, ProblemError) and error.retry_after is not None:
            wait = error.retry_after
        wait *= random.uniform(1.0, 1.25)  # those who were turned away together shall not come back together
        if self._waited + wait > self._policy.seconds:
            return None
        self._waited += wait
        return wait

    def _may_repeat(self, error: HotcellError) -> bool:
        if isinstance(error, Unreachable):
            return True
        if isinstance(error, ConnectionLost):
            return self._repeatable
        if isinstance(error, ProblemError):
            # The first request with this key still runs: it was ours if a connection was lost before.
            mine = error.code == "idempotency_in_progress" and self.lost
            return error.retryable and (error.status in (429, 503) or mine)
        return False
