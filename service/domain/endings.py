"""How turns end: what the closed row says, and what it counts against the quota. Pure."""

from __future__ import annotations

import json

import msgspec

from service.domain.running import RunningTurn
from service.errors import ServiceError, restore
from service.models import Kind, Status, Turn
from service.storage.turns import Settlement


def ended(running: RunningTurn, status: str, error: ServiceError | None, now_ms: int) -> tuple[Turn, Settlement]:
    """The closed row of a turn that has run, and its settlement."""
    usage = running.usage
    turn = msgspec.structs.replace(
        running.turn,
        status=status,
        reply=str(running.reply),
        reasoning=str(running.reasoning),
        images=running.images,
        model=running.model,
        finish_reason=_finish_reason(running, status),
        prompt_tokens=usage.prompt_tokens if usage else None,
        completion_tokens=usage.completion_tokens if usage else None,
        error=_kept(error) if error else None,
        notice=running.notice,
        updated_at=now_ms,
    )
    return turn, _settlement(turn, len(running.pictures), running.generated_tokens)


def interrupted(turn: Turn, now_ms: int) -> tuple[Turn, Settlement]:
    """The closed row of a turn that a crash has cut off, and its settlement."""
    turn = msgspec.structs.replace(turn, status=Status.INTERRUPTED, finish_reason=Status.INTERRUPTED, updated_at=now_ms)
    return turn, _settlement(turn, 0, 0)


def failure_of(turn: Turn) -> ServiceError | None:
    """The failure that the row tells of."""
    if turn.error is None:
        return None
    kept = json.loads(turn.error)
    return restore(kept["code"], kept["type"], kept["details"])


def estimate_tokens(text: str) -> int:
    """About how many tokens a text is: one for a CJK character, one for four others."""
    wide = 0 if text.isascii() else (len(text.encode()) - len(text)) // 2  # UTF-8 takes three bytes for most of those
    return wide + (len(text) - wide + 3) // 4


def _finish_reason(running: RunningTurn, status: str) -> str | None:
    if status == Status.COMPLETED:
        return running.finish_reason or "stop"
    if status == Status.FAILED:
        # The words came, the end did not: what is kept must not look finished.
        return Status.INTERRUPTED if running.reply.length else None
    return status


def _kept(error: ServiceError) -> str:
    return json.dumps({"code": error.code, "type": error.type, "details": error.details})


def _settlement(turn: Turn, images: int, generated_tokens: int) -> Settlement:
    """Bill what the upstream counted, else an estimate of what was generated; nothing came, nothing counts."""
    counted = (turn.prompt_tokens or 0) + (turn.completion_tokens or 0)
    if turn.status == Status.FAILED and not (turn.reply or turn.reasoning or generated_tokens or images):
        return Settlement(tokens=counted, images=0, counts=False)
    if not counted and turn.kind == Kind.CHAT:
        shown_tokens = estimate_tokens(turn.reply) + estimate_tokens(turn.reasoning)
        counted = estimate_tokens(turn.messages) + max(generated_tokens, shown_tokens)
    return Settlement(tokens=counted, images=images, counts=True)
