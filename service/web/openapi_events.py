"""The events of a stream: what each is called and what its data holds.

Up to version 3.1 OpenAPI has no word for a sequence: the schema of an event stream is that of one event, as tools take
it.
"""

from __future__ import annotations

from typing import Any, Final

from service.web import answers
from service.web.openapi_schemas import FAILURE, Schema, reference, success

_CURSOR: Final[Schema] = {"type": "string", "description": "Where to go on: `Last-Event-ID` or `after`. 续传位置"}


def event_schema() -> Schema:
    """Any event, its fields as server-sent events have them."""
    kinds = {
        "start": success(_of("turn_id", "conversation_id", "model")),
        "delta": success(_of("delta")),
        "reasoning": success(_of("reasoning")),
        "recall": success(_of("reason")),
        "continue": success(_of("after")),
        "done": success(reference(answers.ChatAnswer)),
        "error": FAILURE,
    }
    return {"title": "Event", "oneOf": [_event(name, data) for name, data in kinds.items()]}


def _of(*names: str) -> Schema:
    return {"type": "object", "required": list(names), "properties": {name: {"type": "string"} for name in names}}


def _event(name: str, data: Schema) -> Schema:
    fields: dict[str, Any] = {
        "event": {"const": name},
        "data": {"type": "string", "contentMediaType": "application/json", "contentSchema": data},
    }
    required = list(fields)
    if name in ("delta", "reasoning"):
        fields["id"] = _CURSOR
        required.append("id")
    return {"title": name, "type": "object", "required": required, "properties": fields}
