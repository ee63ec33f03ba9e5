"""Access tokens: what makes one, what does not, and which secrets they are made with."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
import time
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.web.conftest import SECRET, Api, Start
from tests.web.ownership import bearer, mint

OLD_SECRET = "the-secret-of-before-the-change-0123456789"
RUN = Path(__file__).parents[2] / "run.py"


@pytest.fixture
async def required(start: Start) -> Api:
    return await start(AUTH="required")


async def status_with(api: Api, token: str, openid: str = "ann") -> int:
    return (await api.get(f"/api/history/{openid}", headers=bearer(token)))[0]


@pytest.mark.parametrize(
    "more",
    [{}, {"iat": 0}, {"aud": "somebody"}, {"iss": "me"}, {"jti": 7}, {"nbf": 9_999_999_999}, {"role": "x"}],
    ids=str,
)
async def test_a_token_needs_a_user_and_an_end_and_other_claims_are_ignored(required: Api, more: dict[str, Any]):
    assert await status_with(required, mint("ann", **more)) == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "ann"},
        {"exp": 9_999_999_999},
        {"sub": 7, "exp": 9_999_999_999},
        {"sub": "", "exp": 9_999_999_999},
        {"sub": "a\nb", "exp": 9_999_999_999},
        {"sub": "ann", "exp": "soon"},
        {"sub": "ann", "exp": float("inf")},
        {"sub": "ann", "exp": 1},
    ],
    ids=str,
)
async def test_a_token_that_lacks_something_is_none(required: Api, claims: dict[str, Any]):
    assert await status_with(required, jwt.encode(claims, SECRET)) == 401


@pytest.mark.parametrize("token", ["x", "a.b.c", "\u00ff", "Bearer", "null", "undefined", "x" * 5000], ids=ascii)
async def test_garbage_is_no_token(required: Api, token: str):
    for headers in (bearer(token), {"token": token}):
        status, envelope = await required.get("/api/history/ann", headers=headers)
        assert (status, envelope["data"]["type"]) == (401, "token_invalid")


@pytest.mark.parametrize("algorithm", ["none", "HS384", "HS512"])
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_only_the_agreed_algorithm_counts(required: Api, algorithm: str):
    secret = "" if algorithm == "none" else SECRET
    assert await status_with(required, mint("ann", secret=secret, algorithm=algorithm)) == 401


async def test_a_token_ends_in_time_even_where_it_was_valid_before(required: Api):
    token = mint("ann", seconds=60)
    assert await status_with(required, token) == 200
    required.clock.ahead_ms += 61_000
    assert await status_with(required, token) == 401


async def test_two_secrets_are_accepted_during_a_change_and_the_first_signs(start: Start):
    keys = f"{SECRET},{OLD_SECRET}"
    given = await (await start(AUTH="open", AUTH_SECRET=keys)).data("/api/token/refresh", {"openid": "ann"})
    jwt.decode(given["token"], SECRET, algorithms=["HS256"])
    api = await start(AUTH="required", AUTH_SECRET=keys)
    for token in (given["token"], mint("ann"), mint("ann", secret=OLD_SECRET)):
        assert await status_with(api, token) == 200
    api = await start(AUTH="required", AUTH_SECRET=SECRET)
    assert await status_with(api, mint("ann", secret=OLD_SECRET)) == 401


async def test_a_secret_is_made_at_the_first_start_for_the_owners_eyes_only(start: Start, tmp_path: Path):
    api = await start(AUTH="required", AUTH_SECRET="")
    kept = tmp_path / "data" / "auth_secret"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    made = kept.read_text()
    assert len(made) >= 32
    assert await status_with(api, mint("ann", secret=made)) == 200
    await start(AUTH="required", AUTH_SECRET="")
    assert kept.read_text() == made


async def test_the_command_prints_a_token_that_the_service_takes(start: Start, tmp_path: Path):
    api = await start(AUTH="required", AUTH_SECRET="")
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": f"sqlite:///{tmp_path}/data/service.db"}
    command = await asyncio.create_subprocess_exec(
        sys.executable, str(RUN), "token", "ann", env=environment, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await command.communicate()
    assert command.returncode == 0
    token = printed.decode().strip()
    assert await status_with(api, token) == 200
    assert jwt.decode(token, options={"verify_signature": False})["exp"] <= time.time() + 7200
