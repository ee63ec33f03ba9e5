"""The settings: read once from a mapping (the environment, `.env`), then frozen.

A field's variable is its name in capitals. An empty value is no value: the default holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any
from urllib.parse import urlsplit

from service import setting_kinds as kind
from service.errors import StartError
from service.setting_kinds import Network, Rate

_DAY = 86400


def _setting(parse: Callable[[str], Any], default: str, *, secret: bool = False) -> Any:
    return field(default=parse(default), metadata={"parse": parse, "secret": secret})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings:
    """Everything that can be set, with its default.

    Units: `_seconds` and `_bytes` as named. Raises StartError for a bad value, naming its key.
    """

    # The seed's four
    openai_api_key: str = _setting(kind.text, "", secret=True)
    openai_base_url: str = _setting(kind.base_url, "https://api.openai.com/v1")
    openai_model: str = _setting(kind.text, "gpt-4o-all")
    port: int = _setting(kind.whole(0, 65535), "3000")
    # Upstream
    openai_models: tuple[str, ...] = _setting(kind.names, "")
    openai_image_model: str = _setting(kind.text, "")
    openai_image_api: str = _setting(kind.choice("images", "chat"), "images")
    openai_balance: str = _setting(
        kind.choice("auto", "one-api", "deepseek", "siliconflow", "openrouter", "moonshot", "openai"), "auto"
    )
    system_prompt: str = _setting(kind.text, "")
    upstream_transport: str = _setting(kind.choice("direct", "session"), "direct")
    upstream_proxy: str = _setting(kind.http_url, "", secret=True)
    connect_timeout_seconds: float = _setting(kind.seconds(0.1, 600), "5")
    first_byte_timeout_seconds: float = _setting(kind.seconds(0.1, 3600), "120")
    idle_timeout_seconds: float = _setting(kind.seconds(0.1, 3600), "60")
    max_turn_seconds: float = _setting(kind.seconds(1, _DAY), "600")
    # Listening
    host: str = _setting(kind.text, "127.0.0.1")
    cors_origins: tuple[str, ...] = _setting(kind.origins, "*")
    trusted_proxies: tuple[Network, ...] = _setting(kind.networks, "")
    max_body_bytes: int = _setting(kind.size(1024), "8 MiB")
    max_header_bytes: int = _setting(kind.size(1024), "8 KiB")
    body_timeout_seconds: float = _setting(kind.seconds(0.1, 3600), "30")
    header_timeout_seconds: float = _setting(kind.seconds(0.1, 3600), "15")
    max_connections: int = _setting(kind.whole(1, 1_000_000), "10000")
    max_connections_per_address: int = _setting(kind.whole(1, 1_000_000), "1000")
    # Storage
    database_url: str = _setting(kind.database_url, "sqlite:///data/service.db")
    files_dir: str = _setting(kind.text, "data/files")
    files_ttl_seconds: int = _setting(kind.whole(60, 3650 * _DAY), str(30 * _DAY))
    files_max_bytes: int = _setting(kind.size(1 << 20), "2 GiB")
    picture_urls: str = _setting(kind.choice("pass", "fetch"), "pass")
    public_url: str = _setting(kind.http_url, "")
    # Who is asking
    auth: str = _setting(kind.choice("local", "open", "required"), "local")
    auth_secret: tuple[str, ...] = _setting(kind.secrets, "", secret=True)
    admin_token: str = _setting(kind.text, "", secret=True)
    wechat_appid: str = _setting(kind.text, "")
    wechat_secret: str = _setting(kind.text, "", secret=True)
    wechat_base_url: str = _setting(kind.http_url, "https://api.weixin.qq.com")
    # Limits
    rate_limit: Rate = _setting(kind.rate, "60/minute")
    ip_rate_limit: Rate = _setting(kind.rate, "600/minute")
    max_turns_per_user: int = _setting(kind.whole(1, 100_000), "5")
    max_turns: int = _setting(kind.whole(1, 100_000), "1000")
    daily_turns: int = _setting(kind.whole(0, 10**12), "0")
    daily_tokens: int = _setting(kind.whole(0, 10**12), "0")
    daily_images: int = _setting(kind.whole(0, 10**12), "0")
    context_turns: int = _setting(kind.whole(0, 10_000), "10")
    context_chars: int = _setting(kind.whole(0, 10**8), "24000")
    # The life of a turn
    abandon_after_seconds: float = _setting(kind.seconds(0, _DAY), "0")
    shutdown_grace_seconds: float = _setting(kind.seconds(0, 3600), "20")
    # Safety and people
    content_check: str = _setting(kind.choice("none", "words", "wechat"), "none")
    content_words_file: str = _setting(kind.text, "")
    content_check_fail: str = _setting(kind.choice("open", "closed"), "closed")
    aigc_producer: str = _setting(kind.text, "")
    audit_days: int = _setting(kind.whole(0, 36_500), "0")
    ai_notice: str = _setting(kind.text, "")
    balance_for: str = _setting(kind.choice("users", "admin"), "users")
    playground: bool = _setting(kind.switch, "on")
    # Logs and language
    log_level: str = _setting(kind.choice("debug", "info", "warning", "error"), "info")
    log_format: str = _setting(kind.choice("auto", "text", "json"), "auto")
    msg_language: str = _setting(kind.choice("zh", "en"), "zh")

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, str | None]) -> Settings:
        values: dict[str, Any] = {}
        for entry in fields(cls):
            raw = (mapping.get(entry.name.upper()) or "").strip()
            if raw:
                values[entry.name] = _parse(entry.name.upper(), raw, entry.metadata)
        return cls(**values)

    def for_demo(self, upstream_url: str) -> Settings:
        """The same settings with the built-in upstream in the place of the real one."""
        return replace(
            self, openai_base_url=upstream_url, openai_api_key="demo", openai_balance="one-api", upstream_proxy=""
        )

    @property
    def models(self) -> tuple[str, ...]:
        """The models that clients may choose from, the default first."""
        return tuple(dict.fromkeys((self.openai_model, *self.openai_models)))

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret text, for blanking them out of logs."""
        proxy_password = urlsplit(self.upstream_proxy).password or ""
        found = (self.openai_api_key, *self.auth_secret, self.admin_token, self.wechat_secret, proxy_password)
        return tuple(secret for secret in found if secret)

    def __repr__(self) -> str:
        shown = (
            f"{entry.name}={'***' if entry.metadata['secret'] else getattr(self, entry.name)!r}"
            for entry in fields(self)
        )
        return f"Settings({', '.join(shown)})"


def _parse(key: str, raw: str, metadata: Mapping[str, Any]) -> Any:
    try:
        return metadata["parse"](raw)
    except ValueError as error:
        # An address may bear a password.
        shown = "***" if metadata["secret"] else repr(re.sub(r"//[^/@]*@", "//***@", raw))
        raise StartError(f"{key}={shown} is not valid; allowed is {error}.") from None
