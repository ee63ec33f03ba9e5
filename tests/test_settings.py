"""The settings are read to the letter, and a bad value says what is wrong with it."""

from __future__ import annotations

import pytest

from service.errors import StartError
from service.setting_kinds import Rate
from service.settings import Settings


def test_nothing_set_gives_the_documented_defaults():
    settings = Settings.from_mapping({})
    assert settings.openai_base_url == "https://api.openai.com/v1"
    assert settings.openai_model == "gpt-4o-all"
    assert settings.port == 3000
    assert settings.host == "127.0.0.1"
    assert settings.auth == "local"
    assert settings.rate_limit == Rate(60, 60)
    assert settings.max_body_bytes == 8 * 1024 * 1024


def test_an_empty_value_is_no_value():
    assert Settings.from_mapping({"OPENAI_BASE_URL": " ", "PORT": ""}) == Settings()


@pytest.mark.parametrize(
    ("pasted", "used"),
    [
        ("https://relay.example", "https://relay.example/v1"),
        ("https://relay.example/", "https://relay.example/v1"),
        ("https://relay.example/v1", "https://relay.example/v1"),
        ("https://relay.example/v1/", "https://relay.example/v1"),
        ("https://relay.example/v1/chat/completions", "https://relay.example/v1"),
        ("https://relay.example/v1/chat/completions/", "https://relay.example/v1"),
        ("https://relay.example/v1/images/generations", "https://relay.example/v1"),
        ("https://relay.example/chat/completions", "https://relay.example"),
        ("https://relay.example/proxy", "https://relay.example/proxy/v1"),
        ("https://open.example/api/paas/v4", "https://open.example/api/paas/v4"),
        ("https://open.example/api/paas/v4/", "https://open.example/api/paas/v4"),
        ("https://open.example/compatible-mode/v1", "https://open.example/compatible-mode/v1"),
        ("https://open.example/v1beta/openai/", "https://open.example/v1beta/openai"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1"),
    ],
)
def test_base_urls_work_as_people_paste_them(pasted: str, used: str):
    assert Settings.from_mapping({"OPENAI_BASE_URL": pasted}).openai_base_url == used


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("PORT", "abc", "from 0 to 65535"),
        ("PORT", "70000", "from 0 to 65535"),
        ("PORT", "３０００", "from 0 to 65535"),
        ("OPENAI_BASE_URL", "api.openai.com", "http:// or https://"),
        ("OPENAI_IMAGE_API", "dalle", "images, chat"),
        ("DATABASE_URL", "mysql://x", "sqlite:///"),
        ("DATABASE_URL", "sqlite://x.db", "sqlite:///"),
        ("AUTH", "none", "local, open, required"),
        ("CORS_ORIGINS", "example.com", "origins"),
        ("CORS_ORIGINS", "https://example.com/app", "without a path"),
        ("RATE_LIMIT", "60/fortnight", "60/minute"),
        ("MAX_BODY_BYTES", "8 apples", "8 MiB"),
        ("CONNECT_TIMEOUT_SECONDS", "-1", "seconds"),
        ("CONNECT_TIMEOUT_SECONDS", "nan", "seconds"),
        ("TRUSTED_PROXIES", "localhost", "10.0.0.0/8"),
        ("PLAYGROUND", "maybe", "on or off"),
    ],
)
def test_a_bad_value_names_its_key_itself_and_what_is_allowed(key: str, value: str, allowed: str):
    with pytest.raises(StartError) as caught:
        Settings.from_mapping({key: value})
    for part in (key, value, allowed):
        assert part in str(caught.value)


def test_a_bad_secret_is_not_shown():
    with pytest.raises(StartError) as caught:
        Settings.from_mapping({"AUTH_SECRET": "too-short-secret"})
    assert "AUTH_SECRET" in str(caught.value)
    assert "too-short-secret" not in str(caught.value)


def test_no_secret_is_in_the_repr():
    secrets = {"OPENAI_API_KEY": "planted-1", "ADMIN_TOKEN": "planted-2", "AUTH_SECRET": "planted-" * 5}
    assert "planted" not in repr(Settings.from_mapping(secrets))


def test_the_password_of_a_proxy_is_a_secret():
    settings = Settings.from_mapping({"UPSTREAM_PROXY": "http://user:planted-4@proxy.example:3128"})
    assert "planted-4" in settings.secrets
    assert "planted" not in repr(settings)
    with pytest.raises(StartError) as caught:
        Settings.from_mapping({"UPSTREAM_PROXY": "ftp://user:planted-4@proxy.example"})
    assert "planted" not in str(caught.value)


def test_the_demo_goes_to_its_own_upstream_through_no_proxy():
    settings = Settings.from_mapping({"UPSTREAM_PROXY": "http://proxy.example:3128"})
    assert settings.for_demo("http://127.0.0.1:1/v1").upstream_proxy == ""


def test_sizes_and_rates_are_written_as_people_do():
    settings = Settings.from_mapping(
        {"MAX_BODY_BYTES": "1 MiB", "FILES_MAX_BYTES": "3G", "RATE_LIMIT": "0", "IP_RATE_LIMIT": "5/second"}
    )
    assert settings.max_body_bytes == 1 << 20
    assert settings.files_max_bytes == 3 << 30
    assert settings.rate_limit.limit == 0
    assert settings.ip_rate_limit == Rate(5, 1)


def test_clients_may_choose_the_default_model_and_the_listed_ones():
    settings = Settings.from_mapping({"OPENAI_MODEL": "a", "OPENAI_MODELS": "b, a ,c"})
    assert settings.models == ("a", "b", "c")
