"""What turns take from their users' quotas, as steps of the writes that open and close turns.

The arguments are numbered in the order of their use: SQLite then takes them as they come.
"""

from __future__ import annotations

from service.models import Quota, Turn
from service.storage.database import Step

# Counts the turn, and takes its reservation from the day's quota unless that would overrun it.
_RESERVE = """
    INSERT INTO users (openid, created_at, last_seen_at, day, day_turns, day_tokens, day_images, total_turns)
    VALUES ($1, $2, $3, $4, 1, $5, $6, 1)
    ON CONFLICT (openid) DO UPDATE SET
        last_seen_at = excluded.last_seen_at,
        day_turns = CASE WHEN users.day = excluded.day THEN users.day_turns ELSE 0 END + 1,
        day_tokens = CASE WHEN users.day = excluded.day THEN users.day_tokens ELSE 0 END + excluded.day_tokens,
        day_images = CASE WHEN users.day = excluded.day THEN users.day_images ELSE 0 END + excluded.day_images,
        day = excluded.day,
        total_turns = users.total_turns + 1
    WHERE users.day <> excluded.day
        OR (users.day_turns + 1 <= $7
            AND users.day_tokens + excluded.day_tokens <= $8
            AND users.day_images + excluded.day_images <= $9)"""

# Puts what was really used in the place of what was reserved; a past day's counters are gone with the day.
_SETTLE = """
    UPDATE users SET
        day_tokens = day_tokens + CASE WHEN day = $1 THEN $2 ELSE 0 END,
        day_images = day_images + CASE WHEN day = $3 THEN $4 ELSE 0 END,
        total_tokens = total_tokens + $5,
        total_images = total_images + $6
    WHERE openid = $7"""

_GIVE_BACK = """
    UPDATE users SET day_turns = day_turns - CASE WHEN day = $1 THEN 1 ELSE 0 END, total_turns = total_turns - 1
    WHERE openid = $2"""

_UNLIMITED = 1 << 62


def exceeds(turn: Turn, quota: Quota) -> bool:
    """Tell whether the turn alone is more than a whole day's quota."""
    return 0 < quota.tokens < turn.reserved_tokens or 0 < quota.images < turn.reserved_images


def reserve(turn: Turn, quota: Quota) -> Step:
    """Refused where it would overrun the quota; the turn must not exceed it by itself."""
    args = (
        turn.openid,
        turn.created_at,
        turn.created_at,
        turn.day,
        turn.reserved_tokens,
        turn.reserved_images,
        quota.turns or _UNLIMITED,
        quota.tokens or _UNLIMITED,
        quota.images or _UNLIMITED,
    )
    return Step(_RESERVE, args, must=True)


def settle(turn: Turn, tokens: int, images: int) -> Step:
    more_tokens, more_images = tokens - turn.reserved_tokens, images - turn.reserved_images
    return Step(_SETTLE, (turn.day, more_tokens, turn.day, more_images, tokens, images, turn.openid))


def give_back(turn: Turn) -> Step:
    """Count the turn itself no more."""
    return Step(_GIVE_BACK, (turn.day, turn.openid))
