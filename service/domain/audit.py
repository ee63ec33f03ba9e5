"""What is written down of a turn that has ended: who, when, what kind, and hashes of the content."""

from __future__ import annotations

import functools
import hashlib

from service.models import Turn
from service.storage.audit import AuditEntry


def entry_of(turn: Turn) -> AuditEntry:
    return AuditEntry(
        turn_id=turn.turn_id,
        user_hash=hash_of(turn.openid),
        kind=turn.kind,
        status=turn.status,
        question_hash=_sha256(turn.messages),
        answer_hash=_sha256(turn.reply + turn.images),
        created_at=turn.updated_at,
    )


@functools.lru_cache(maxsize=10_000)
def hash_of(openid: str) -> str:
    """What others are told of a user: the same at each call, and not the openid."""
    return _sha256(f"openid:{openid}")[:32]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
