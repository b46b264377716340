"""The HTTP server of one worker: uvicorn, and how a worker leaves.

A worker that leaves takes no new connection, finishes what it is answering, and asks each client to close its
connection with its next answer; connections on which nothing comes are closed after a while. So no request is lost
when another generation takes over: what is closed from this side is a connection on which nothing came for so long.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn

from matching.runtime_app import Service

LINGER_SECONDS = {signal.SIGUSR1: 5.0, signal.SIGTERM: 0.3, signal.SIGINT: 0.3}
GRACE_SECONDS = 22  # for what is being answered, after lingering
IDLE_SECONDS = 75  # longer than load balancers keep a connection that they may still use
STUCK_SECONDS = 60.0
STUCK = 70


class Server(uvicorn.Server):
    """Serves an app on a socket that is bound already.

    `when_up` is called once it accepts connections, `when_leaving` once it does not any more.
    """

    when_up: Callable[[], None]
    when_leaving: Callable[[], None]

    def __init__(self, app: Any, service: Service, lifeline: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                access_log=False,
                log_config=None,
                timeout_keep_alive=IDLE_SECONDS,
                timeout_graceful_shutdown=GRACE_SECONDS,
                server_header=False,
            )
        )
        self._service, self._lifeline = service, lifeline
        self._leave: signal.Signals | None = None
        self._since = 0.0

    def run(self, sockets: Any = None) -> None:
        """Serve until told to leave, or until the supervisor is gone."""
        signal.signal(signal.SIGUSR1, self.handle_exit)
        super().run(sockets)

    async def startup(self, sockets: Any = None) -> None:
        """As uvicorn's, and say so."""
        await super().startup(sockets)
        self.when_up()

    def handle_exit(self, sig: int, _frame: FrameType | None) -> None:
        """Begin to leave; the loop does it, within a tenth of a second."""
        self._leave = signal.Signals(sig)

    async def on_tick(self, counter: int) -> bool:
        """True when it is time to go. Called ten times a second."""
        if self._service.turns.stuck_seconds() > STUCK_SECONDS:
            os._exit(STUCK)  # a thread cannot be stopped, a process can
        if self._leave is None and select.select([self._lifeline], [], [], 0)[0]:
            self._leave = signal.SIGTERM
        if self._leave is None:
            return await super().on_tick(counter)
        if not self._service.leaving:
            self._service.leaving, self._since = True, time.monotonic()
            for server in self.servers:
                server.close()
            self.when_leaving()
        return not self.server_state.connections or time.monotonic() - self._since > LINGER_SECONDS[self._leave]
