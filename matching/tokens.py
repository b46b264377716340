"""Tokens: what stands for a record's id where the id itself, which may be personal data, must not go.

A token is HMAC-SHA256 of the id under a secret (RFC 2104; 128 bits are kept) behind the secret's epoch, so tokens of
one key can be told from those of the next. Who has the key can find a record's rows and erase them; nobody else can
say whose they are.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from dataclasses import dataclass, field

KEY, EARLIER = "MATCHING_TOKEN_KEY", "MATCHING_TOKEN_KEYS_BEFORE"


@dataclass(frozen=True)
class TokenKey:
    """A secret and its epoch."""

    epoch: str
    secret: str = field(repr=False)

    @staticmethod
    def of(text: str) -> TokenKey:
        """From `epoch:secret`. Raises ValueError when it is not that."""
        epoch, _, secret = text.partition(":")
        if not (re.fullmatch(r"[A-Za-z0-9]+", epoch) and secret):
            raise ValueError(f"{KEY} is not epoch:secret, as in 2026a:s3cr3t")
        return TokenKey(epoch, secret)

    def token(self, record_id: str) -> str:
        """What stands for this id."""
        digest = hmac.new(self.secret.encode(), record_id.encode(), hashlib.sha256).hexdigest()
        return f"{self.epoch}.{digest[:32]}"


def current_key() -> TokenKey | None:
    """The key of this environment (MATCHING_TOKEN_KEY), if there is one. Raises ValueError for a malformed one."""
    text = os.environ.get(KEY)
    return TokenKey.of(text) if text is not None else None


def known_keys() -> list[TokenKey]:
    """The current key, and those before it that are still kept (MATCHING_TOKEN_KEYS_BEFORE, separated by commas)."""
    earlier = [TokenKey.of(text.strip()) for text in os.environ.get(EARLIER, "").split(",") if text.strip()]
    current = current_key()
    return [*([current] if current else []), *earlier]
