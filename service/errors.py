"""Every failure that a client may see, and what is said about it.

    ServiceError
    ├── BadRequest 400           the request is wrong; `field` names the place
    ├── Unauthorized 401         no token, or one that is not valid
    ├── Forbidden 403            known, but not allowed
    ├── NotFound 404             no such path, or no such thing of yours
    ├── MethodNotAllowed 405
    ├── TooLarge 413
    ├── UnsupportedMedia 415
    ├── IdempotencyMismatch 422  same key, other payload
    ├── TooManyRequests 429      rate, concurrency or quota; `retry_after_seconds`
    ├── InternalError 500        a bug of ours
    │   └── UpstreamError 500    the upstream failed; `retryable`
    └── Unavailable 503          overloaded, stopping, store not writable; `retry_after_seconds`
    StartError                   the service cannot start; the sentence is for the operator

A failure carries a `type` (for programs) and details, never prose: the sentences are in MESSAGES,
one in Chinese and one in English for each type, so that no exception text can reach a client.
"""

from __future__ import annotations

from typing import ClassVar

from service.messages import MESSAGES

Detail = str | int | float | bool | None | list[str]


class StartError(Exception):
    """The service cannot start; the text is one sentence for the operator."""


class ServiceError(Exception):
    """A failure with a place in the contract.

    Shape: `type` is a key of MESSAGES; `details` become fields of the envelope's `data`.
    """

    code: ClassVar[int] = 500
    default_type: ClassVar[str] = "internal_error"

    def __init__(self, type: str | None = None, /, **details: Detail) -> None:
        self.type = type or self.default_type
        self.details = details
        if self.type not in MESSAGES:
            raise KeyError(f"no message for the error type {self.type!r}")
        super().__init__(self.type, details)

    def message(self, language: str) -> str:
        """The sentence for people, in `zh` or `en`."""
        chinese, english = MESSAGES[self.type]
        return (english if language == "en" else chinese).format_map(self.details)

    @property
    def retry_after_seconds(self) -> int | None:
        value = self.details.get("retry_after_seconds")
        return value if isinstance(value, int) else None


class BadRequest(ServiceError):
    code = 400
    default_type = "invalid_field"


class Unauthorized(ServiceError):
    code = 401
    default_type = "token_required"


class Forbidden(ServiceError):
    code = 403
    default_type = "not_yours"


class NotFound(ServiceError):
    code = 404
    default_type = "route_not_found"


class MethodNotAllowed(ServiceError):
    code = 405
    default_type = "method_not_allowed"


class TooLarge(ServiceError):
    code = 413
    default_type = "body_too_large"


class UnsupportedMedia(ServiceError):
    code = 415
    default_type = "unsupported_media_type"


class IdempotencyMismatch(ServiceError):
    code = 422
    default_type = "idempotency_mismatch"


class TooManyRequests(ServiceError):
    code = 429
    default_type = "rate_limited"


class InternalError(ServiceError):
    code = 500
    default_type = "internal_error"


class UpstreamError(InternalError):
    """The upstream failed. `type` is one of upstream_timeout, upstream_unavailable, upstream_rejected,
    upstream_invalid, or one that a call names, such as no_picture; `retryable` says whether asking again may help."""

    default_type = "upstream_unavailable"

    def __init__(self, type: str | None = None, /, *, retryable: bool = False, **details: Detail) -> None:
        super().__init__(type, retryable=retryable, **details)


class Unavailable(ServiceError):
    code = 503
    default_type = "overloaded"

    def __init__(self, type: str | None = None, /, *, retry_after_seconds: int = 5, **details: Detail) -> None:
        super().__init__(type, retry_after_seconds=retry_after_seconds, **details)


_BY_CODE: dict[int, type[ServiceError]] = {
    kind.code: kind for kind in (BadRequest, Unauthorized, Forbidden, NotFound, TooManyRequests, Unavailable)
}


def restore(code: int, type: str, details: dict[str, Detail]) -> ServiceError:
    """Make a failure again from what was kept of it (`error.code`, `error.type`, `error.details`)."""
    kind = _BY_CODE.get(code, UpstreamError if "retryable" in details else InternalError)
    return kind(type, **details)
