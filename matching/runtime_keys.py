"""API keys: who may ask, when a file of keys is named. A line is `client:key`; empty lines and `#` lines do not count.

Keys are for a laptop and a private network; on SageMaker, IAM decides who may call. They are compared in constant time.
"""

from __future__ import annotations

import hmac
from http import HTTPStatus
from pathlib import Path

from matching.runtime_input import RequestError


class Keys:
    """The clients by their keys. Without keys everybody may ask, and a client is its address."""

    def __init__(self, clients: dict[str, str]) -> None:
        self._clients = clients

    @classmethod
    def read(cls, path: Path | None) -> Keys:
        """Raises ValueError for a line without a key, or a file without lines: that would let everybody in."""
        if path is None:
            return cls({})
        lines = [line.strip() for line in path.read_text().splitlines()]
        pairs = [line.partition(":") for line in lines if line and not line.startswith("#")]
        if not pairs or not all(client and key for client, _, key in pairs):
            raise ValueError(f"{path}: write each client as client:key, and at least one")
        return cls({key: client for client, _, key in pairs})

    def client(self, key: str | None, address: str) -> str:
        """Who asks. Raises RequestError (401) when a key is wanted and this is none."""
        if not self._clients:
            return address
        given = (key or "").encode()
        known = [client for own, client in self._clients.items() if hmac.compare_digest(own.encode(), given)]
        if not known:
            raise RequestError("the API key is missing or wrong", "Send it as X-Api-Key.", HTTPStatus.UNAUTHORIZED)
        return known[0]

    def __bool__(self) -> bool:
        return bool(self._clients)
