"""JSON schemas of what is sent and answered, made from the types that check and shape it.

They are in the form that people read: "this or null" in one line instead of a union of two.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from service.messages import MESSAGES

Schema = dict[str, Any]

_PREFIX: Final = "#/components/schemas/"
_NULL: Final = {"type": "null"}
FAILURE: Final = {"$ref": _PREFIX + "Failure"}


def components(types: Iterable[Any]) -> dict[str, Schema]:
    """The schemas of the types and of all that they consist of, by name."""
    _, found = msgspec.json.schema_components(types, ref_template=_PREFIX + "{name}")
    return {name: _compact(schema) for name, schema in found.items()} | {"Failure": _failure()}


def properties_of(kind: Any) -> tuple[dict[str, Schema], list[str]]:
    """The fields of a struct and the names of those that must be given."""
    (schema,), found = msgspec.json.schema_components([kind])
    struct = _compact(found[schema["$ref"].rpartition("/")[2]])
    return struct["properties"], struct["required"]


def reference(kind: Any) -> Schema:
    return {"$ref": _PREFIX + kind.__name__}


def success(data: Schema) -> Schema:
    """The envelope round the data."""
    fields = {"code": {"const": 0}, "msg": {"const": "ok"}, "data": data}
    return {"type": "object", "required": list(fields), "properties": fields}


def _failure() -> Schema:
    details: Schema = {
        "type": {
            "type": "string",
            "enum": sorted(MESSAGES),
            "description": "What went wrong, for programs. 错误类型，供程序判断。",
        },
        "request_id": {"type": "string", "description": "Tell it to the operator. 反馈问题时请带上。"},
        "field": {"type": "string", "description": "The place in the request.", "examples": ["messages[2].content"]},
        "retryable": {"type": "boolean", "description": "Whether the same request may succeed later."},
        "retry_after_seconds": {"type": "integer", "minimum": 0},
        "turn_id": {"type": "string", "description": "The turn that failed: it is kept, with what came of its reply."},
    }
    fields: Schema = {
        "code": {"type": "integer", "minimum": 400, "maximum": 599, "description": "The same as the HTTP status."},
        "msg": {"type": "string", "description": "One sentence for people, in the language of Accept-Language."},
        "data": {"type": "object", "required": ["type", "request_id"], "properties": details},
    }
    return {"title": "Failure", "type": "object", "required": list(fields), "properties": fields}


def _compact(schema: Any) -> Any:
    """The same schema with `anyOf: [{type: T}, {type: null}]` as `type: [T, null]`."""
    if isinstance(schema, list):
        return [_compact(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _compact(value) for key, value in schema.items()}
    match found.get("anyOf"):
        case [{"type": str() as kind, **rest}, null] if null == _NULL and "enum" not in rest:
            del found["anyOf"]
            found |= rest | {"type": [kind, "null"]}
    if "default" in found and found["default"] is None:
        del found["default"]
    return found
