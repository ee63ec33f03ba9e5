"""What is written down of a turn that has ended: who, when, what kind, and hashes of the content."""

from __future__ import annotations

import functools
import hashlib

from service.models import Turn
from service.settings import Settings
from service.storage.audit import AuditEntry
from service.storage.database import Step


def audit_of(turn: Turn, settings: Settings) -> list[Step]:
    """What is to be written with the end of a turn; nothing without AUDIT_DAYS."""
    if not settings.audit_days:
        return []
    entry = AuditEntry(
        turn_id=turn.turn_id,
        user_hash=hash_of(turn.openid),
        kind=turn.kind,
        status=turn.status,
        question_hash=_sha256(turn.messages),
        answer_hash=_sha256(turn.reply + turn.images),
        created_at=turn.updated_at,
    )
    return [entry.step]


@functools.lru_cache(maxsize=10_000)
def hash_of(openid: str) -> str:
    """What others are told of a user: the same at each call, and not the openid."""
    return _sha256(f"openid:{openid}")[:32]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
