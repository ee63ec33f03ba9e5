"""Logs: readable on a terminal, JSON under systemd; secrets are blanked out of every line."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from service.settings import Settings

_TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def set_up_logging(settings: Settings) -> None:
    """Send all logs to stderr in the format that is set; `auto` is text on a terminal and JSON elsewhere."""
    handler = logging.StreamHandler()
    inner = logging.Formatter(_TEXT) if is_for_people(settings) else JsonFormatter()
    handler.setFormatter(MaskingFormatter(inner, settings.secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())


def is_for_people(settings: Settings) -> bool:
    return settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class MaskingFormatter(logging.Formatter):
    """Formats with another formatter, then blanks the secrets: tracebacks and foreign libraries included."""

    def __init__(self, inner: logging.Formatter, secrets: tuple[str, ...]) -> None:
        super().__init__()
        self._inner = inner
        # As they are, and as JSON writes them.
        self._secrets = {text for secret in secrets for text in (secret, json.dumps(secret, ensure_ascii=False)[1:-1])}

    def format(self, record: logging.LogRecord) -> str:
        line = self._inner.format(record)
        for secret in self._secrets:
            line = line.replace(secret, "***")
        return line
