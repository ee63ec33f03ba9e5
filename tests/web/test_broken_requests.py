"""What is hardly HTTP: an envelope all the same, no word of the parser, no version, no token in the log."""

from __future__ import annotations

import gzip
from pathlib import Path

from tests.web.conftest import SECRET
from tests.web.ownership import mint
from tests.web.raw_client import HEAD, clients_of
from tests.web.service_process import run_service

PLANTED = "planted-token"
GET = b"GET /api/user/ann HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
UNREADABLE = {
    "no HTTP": b"\x16\x03\x01planted-token\r\n\r\n",
    "a long header": GET + b"Authorization: Bearer planted-token" + b"a" * 9000 + b"\r\n\r\n",
    "a long line": b"GET /" + b"planted-token" * 800 + b" HTTP/1.1\r\n\r\n",
    "a broken header": GET + b"Autho\0rization: Bearer planted-token\r\n\r\n",
    "too many headers": GET + b"X-A: planted-token\r\n" * 300 + b"\r\n",
    "two lengths": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nplanted-token",
    "a length below zero": HEAD + b"Content-Length: -5\r\n\r\nplanted-token",
    "a body without a head": b'{"openid":"planted-token"}\r\n\r\n',
}
LOGIN = b"POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
BOMB = gzip.compress(b" " * 10_000_000)
# The token is good: the body is looked at.
MINE = HEAD + b"token: %s\r\n" % mint("ann").encode()
REFUSED = {
    "a body above the bound": (MINE + b"Connection: close\r\nContent-Length: 99999999\r\n\r\n", 413, "body_too_large"),
    "chunks above the bound": (
        MINE + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n8000\r\n" + b" " * 32768 + b"\r\n0\r\n\r\n",
        413,
        "body_too_large",
    ),
    "a login above the bound of logins": (LOGIN + b"Content-Length: 20000\r\n\r\n", 413, "body_too_large"),
    "a login of chunks": (
        LOGIN + b"Transfer-Encoding: chunked\r\n\r\n8000\r\n" + b" " * 32768 + b"\r\n0\r\n\r\n",
        413,
        "body_too_large",
    ),
    "a login that is small until it is unpacked": (
        LOGIN + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB,
        413,
        "body_too_large",
    ),
    "bytes for a token": (GET + b"Authorization: Bearer \xff\xfe\r\n\r\n", 401, "token_invalid"),
    "bytes for the other token": (GET + b"token: \xff\xfe\r\n\r\n", 401, "token_invalid"),
    "bytes for a refresh token": (
        b"POST /api/token/refresh HTTP/1.1\r\nHost: x\r\nrefreshToken: \xff\xfe\r\nContent-Length: 0\r\n\r\n",
        403,
        "refresh_refused",
    ),
    "bytes for the operator's token": (
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Real-IP: 1.1.1.1\r\nAuthorization: Bearer \xff\r\n\r\n",
        403,
        "admin_only",
    ),
}


async def test_what_cannot_be_read_is_told_in_an_envelope_and_nothing_of_it_is_said(tmp_path: Path):
    async with run_service(tmp_path, LOG_LEVEL="debug") as service, clients_of(service) as clients:
        for name, data in UNREADABLE.items():
            status, headers, envelope = await clients.ask(data)
            assert (status, envelope["code"], envelope["data"]["type"]) == (400, 400, "invalid_request"), name
            assert headers["x-request-id"] == envelope["data"]["request_id"], name
            assert not any(letter.isdigit() for letter in headers.get("server", "")), name
            assert PLANTED not in f"{headers}{envelope}", name
        await clients.leave()
        said = await service.stop()
    assert PLANTED not in said
    assert "Traceback" not in said


async def test_what_is_refused_names_no_version_and_is_never_our_fault(tmp_path: Path):
    settings = {"AUTH": "required", "AUTH_SECRET": SECRET, "MAX_BODY_BYTES": "30000", "ADMIN_TOKEN": "x" * 40}
    async with run_service(tmp_path, **settings) as service, clients_of(service) as clients:
        for name, (data, code, type) in REFUSED.items():
            status, headers, envelope = await clients.ask(data)
            assert (status, envelope["code"], envelope["data"]["type"]) == (code, code, type), name
            assert "server" not in headers, name
        await clients.leave()
        said = await service.stop()
    assert "Traceback" not in said


async def test_a_body_that_breaks_off_harms_nobody(tmp_path: Path):
    async with run_service(tmp_path) as service, clients_of(service) as clients:
        for start in (b"Content-Length: 1000\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"):
            for leave in (lambda transport: transport.write_eof(), lambda transport: transport.abort()):
                connection = await clients.connect()
                connection.writer.write(HEAD + start)
                await connection.writer.drain()
                leave(connection.transport)
                answer = await connection.rest()
                assert answer == b"" or b" 400 " in answer
        assert (await clients.ask(HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}"))[0] == 400
        await clients.leave()
        said = await service.stop()
    assert "Traceback" not in said
