"""A turn belongs to the server: waiting, stopping, retrying, crashing and stopping the service."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Any

import msgspec
import pytest

from service.app import drain
from service.domain.chat import Question
from service.domain.pace import Pace
from service.domain.running import RunningTurn
from service.models import Message, Turn
from service.storage.database import Database, Step
from service.web.keys import CHAT, DATABASE, TURNS
from tests.fakes.upstream import Answer, FakeUpstream
from tests.web.conftest import Api, Start
from tests.web.event_reader import joined, read_events

ASK: dict[str, Any] = {"openid": "ann", "messages": [{"role": "user", "content": "hi"}]}


async def test_wait_answers_in_time_with_what_has_come(api: Api, upstream: FakeUpstream):
    gate = asyncio.Event()
    upstream.answer_with(Answer.stream("so far", gate, " so good"))
    data = await api.chat(wait=1)
    assert (data["status"], data["reply"], data["finish_reason"]) == ("running", "so far", None)
    gate.set()
    done = await api.data(f"/api/turns/{data['turn_id']}?wait=5")
    assert (done["status"], done["reply"]) == ("completed", "so far so good")
    assert done["time"] > 0


async def test_wait_ends_with_the_turn(api: Api):
    assert (await api.chat(wait=55))["status"] == "completed"


@pytest.mark.parametrize("wait", ["0", "56", "soon", "nan"])
async def test_wait_is_between_1_and_55_seconds(api: Api, wait: str):
    done = await api.chat()
    status, envelope = await api.get(f"/api/turns/{done['turn_id']}?wait={wait}")
    assert (status, envelope["data"]["field"]) == (400, "wait")


async def test_a_turn_outlives_the_client_that_asked(api: Api, upstream: FakeUpstream):
    gate = asyncio.Event()
    upstream.answer_with(Answer.completion("kept").held(gate))
    asking = asyncio.create_task(api.chat())
    await upstream.called()
    asking.cancel()
    (item,) = await api.history()  # after this the service knows that the client has left
    gate.set()
    done = await api.data(f"/api/turns/{item['turn_id']}?wait=5")
    assert (done["reply"], done["status"]) == ("kept", "completed")
    async with api.client.get("/metrics") as response:
        assert 'http_request_seconds_count{code="499",route="/api/chat"} 1.0' in await response.text()


async def test_stop_ends_the_upstream_call_at_once_and_keeps_the_part(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.stream("a part", asyncio.Event()))
    async with api.open_stream() as response:
        events = read_events(response)
        turn_id = (await anext(events)).data["turn_id"]
        await anext(events)
        async with asyncio.timeout(1):
            stopped = await api.data(f"/api/turns/{turn_id}/stop", {})
            await upstream.hung_up()
        last = [event async for event in events][-1]
    assert (stopped["status"], stopped["finish_reason"], stopped["reply"]) == ("stopped", "stopped", "a part")
    assert (last.name, last.data["status"]) == ("done", "stopped")


async def test_stop_ends_the_upstream_call_within_100_ms(api: Api, upstream: FakeUpstream):
    taken: list[float] = []
    for number in range(1, 6):
        upstream.answer_with(Answer.stream("a part", asyncio.Event()))
        running = await _running(api)
        begun = time.perf_counter()
        await asyncio.gather(api.data(f"/api/turns/{running['turn_id']}/stop", {}), upstream.hung_up(number))
        taken.append(time.perf_counter() - begun)
    assert statistics.median(taken) < 0.1


async def test_stop_is_safe_to_repeat(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.stream("a part", asyncio.Event()))
    running = await api.chat(wait=1)
    first, second = await asyncio.gather(*(api.data(f"/api/turns/{running['turn_id']}/stop", {}) for _ in range(2)))
    third = await api.data(f"/api/turns/{running['turn_id']}/stop", {})
    assert first == second == third
    assert first["status"] == "stopped"


async def test_stop_after_the_end_changes_nothing(api: Api):
    done = await api.chat("hello")
    stopped = await api.data(f"/api/turns/{done['turn_id']}/stop", {})
    assert (stopped["status"], stopped["reply"]) == ("completed", "hello")


async def test_stop_races_with_the_end_and_one_of_them_wins(api: Api, upstream: FakeUpstream):
    for _ in range(20):
        gate = asyncio.Event()
        upstream.answer_with(Answer.stream("text", gate))
        running = await api.chat(wait=1) if not upstream.calls else await _running(api)
        gate.set()
        stopped = await api.data(f"/api/turns/{running['turn_id']}/stop", {})
        again = await api.data(f"/api/turns/{running['turn_id']}")
        assert stopped["status"] in ("stopped", "completed")
        assert (again["status"], again["reply"]) == (stopped["status"], "text")


async def _fill_disk(api: Api) -> Database:
    database = api.client.app[DATABASE]  # type: ignore[index]
    ((pages,),) = await database.read("PRAGMA page_count")
    await database.write(Step(f"PRAGMA max_page_count = {pages + 2}"))
    return database


async def _ask(api: Api, **options: Any) -> str:
    async with api.client.post("/api/chat", json={**ASK, **options}) as response:
        return await response.text()


async def _running(api: Api) -> Any:
    async with api.open_stream("hi") as response:
        events = read_events(response)
        start = await anext(events)
        await anext(events)
        response.close()
    return start.data


async def test_a_strangers_or_unknown_turn_is_a_404(api: Api):
    for call in (api.get("/api/turns/nope"), api.post("/api/turns/nope/stop")):
        status, envelope = await call
        assert (status, envelope["data"]["type"]) == (404, "turn_not_found")


async def test_fifty_equal_requests_are_one_turn_and_one_call(api: Api, upstream: FakeUpstream):
    gate = asyncio.Event()
    upstream.answer_with(Answer.completion("once").held(gate))
    asking = [asyncio.create_task(api.chat(headers={"Idempotency-Key": "k1"})) for _ in range(50)]
    await upstream.called()
    gate.set()
    answers = await asyncio.gather(*asking)
    assert {(answer["turn_id"], answer["reply"]) for answer in answers} == {(answers[0]["turn_id"], "once")}
    assert len(upstream.calls) == 1
    assert len(await api.history()) == 1


async def test_the_key_in_the_body_is_as_good_as_the_header(api: Api, upstream: FakeUpstream):
    first = await api.chat(client_id="k1")
    second = await api.chat(headers={"Idempotency-Key": "k1"})
    assert first == second
    assert len(upstream.calls) == 1


async def test_a_replayed_turn_may_be_asked_for_as_a_stream(api: Api, upstream: FakeUpstream):
    first = await api.chat("hello", client_id="k1")
    events = await api.stream("hello", client_id="k1")
    assert joined(events) == "hello"
    assert events[0].data["turn_id"] == first["turn_id"]
    assert len(upstream.calls) == 1


async def test_a_replayed_failure_is_the_same_failure(api: Api, upstream: FakeUpstream):
    upstream.answer_with(Answer.error(400, "bad"))
    first = await api.post("/api/chat", {**ASK, "client_id": "k1"})
    second = await api.post("/api/chat", {**ASK, "client_id": "k1"})
    for status, envelope in (first, second):
        del envelope["data"]["request_id"]
        assert status == 500
    assert first == second
    assert len(upstream.calls) == 1


async def test_another_payload_under_the_same_key_is_refused(api: Api, upstream: FakeUpstream):
    await api.chat("one", client_id="k1")
    status, envelope = await api.post("/api/chat", {**ASK, "client_id": "k1"})
    assert (status, envelope["data"]["type"]) == (422, "idempotency_mismatch")
    assert len(upstream.calls) == 1


async def test_another_users_equal_key_is_another_key(api: Api, upstream: FakeUpstream):
    ann = await api.chat(client_id="k1")
    bob = await api.chat(openid="bob", client_id="k1")
    assert ann["turn_id"] != bob["turn_id"]
    assert len(upstream.calls) == 2


@pytest.mark.parametrize("key", ["", "a b", "k" * 129, "schl\u00fcssel"])
async def test_a_key_is_visible_ascii(api: Api, key: str):
    status, envelope = await api.post("/api/chat", {**ASK, "client_id": key})
    assert (status, envelope["data"]["field"]) == (400, "client_id")


async def test_an_answer_is_replayed_by_its_key_after_a_restart(start: Start, upstream: FakeUpstream):
    first = await (await start()).chat(client_id="k1")
    second = await (await start()).chat(client_id="k1")
    assert first == second
    assert len(upstream.calls) == 1


async def test_a_user_has_so_many_turns_at_once(start: Start, upstream: FakeUpstream):
    api = await start(MAX_TURNS_PER_USER="1")
    gate = asyncio.Event()
    upstream.answer_with(Answer.completion("first").held(gate))
    asking = asyncio.create_task(api.chat(client_id="k1"))
    await upstream.called()
    async with api.client.post("/api/chat", json=ASK) as response:
        assert response.status == 429
        assert int(response.headers["Retry-After"]) > 0
        assert (await response.json())["data"]["type"] == "too_many_turns"
    attached = asyncio.create_task(api.chat(client_id="k1"))
    assert (await api.chat(openid="bob"))["status"] == "completed"
    gate.set()
    assert await asking == await attached
    assert (await api.chat())["status"] == "completed"


async def test_the_service_has_so_many_turns_at_once(start: Start, upstream: FakeUpstream):
    api = await start(MAX_TURNS="1")
    gate = asyncio.Event()
    upstream.answer_with(Answer.completion("first").held(gate))
    asking = asyncio.create_task(api.chat())
    await upstream.called()
    async with api.client.post("/api/chat", json={**ASK, "openid": "bob"}) as response:
        assert (response.status, (await response.json())["data"]["type"]) == (503, "overloaded")
        assert int(response.headers["Retry-After"]) > 0
    gate.set()
    await asking


async def test_a_turn_has_its_longest_time(start: Start, upstream: FakeUpstream):
    api = await start(MAX_TURN_SECONDS="1")
    upstream.answer_with(Answer.stream("a part", asyncio.Event()))
    events = await api.stream()
    assert (events[-1].name, events[-1].data["type"]) == ("error", "upstream_timeout")
    await upstream.hung_up()
    turn = await api.data(f"/api/turns/{events[0].data['turn_id']}")
    assert (turn["status"], turn["reply"], turn["finish_reason"]) == ("failed", "a part", "interrupted")


async def test_a_turn_that_nobody_comes_back_for_is_given_up(start: Start, upstream: FakeUpstream):
    api = await start(ABANDON_AFTER_SECONDS="0.2", pace=Pace(checkpoint_seconds=0.05))
    upstream.answer_with(Answer.stream("a part", asyncio.Event()))
    turn = await _running(api)
    await upstream.hung_up()
    done = await api.data(f"/api/turns/{turn['turn_id']}?wait=5")
    assert (done["status"], done["reply"]) == ("stopped", "a part")


@pytest.mark.parametrize("options", [{}, {"stream": True}, {"wait": 55}])
async def test_a_client_that_leaves_is_nobody(start: Start, upstream: FakeUpstream, options: dict[str, Any]):
    api = await start(ABANDON_AFTER_SECONDS="0.2", pace=Pace(checkpoint_seconds=0.05))
    upstream.answer_with(
        Answer.stream("a part", asyncio.Event()) if options else Answer.completion().held(asyncio.Event())
    )
    asking = asyncio.create_task(_ask(api, **options))
    await upstream.called()
    asking.cancel()
    async with asyncio.timeout(5):  # long before a ping would tell
        await upstream.hung_up()
    (item,) = await api.history()
    assert (await api.data(f"/api/turns/{item['turn_id']}?wait=5"))["status"] == "stopped"


@pytest.mark.parametrize("options", [{}, {"stream": True}, {"wait": 55}])
async def test_a_client_that_waits_is_somebody(start: Start, upstream: FakeUpstream, options: dict[str, Any]):
    api = await start(ABANDON_AFTER_SECONDS="0.1", pace=Pace(checkpoint_seconds=0.05))
    gate = asyncio.Event()
    upstream.answer_with(Answer.stream("a part", gate) if options else Answer.completion().held(gate))
    asking = asyncio.create_task(_ask(api, **options))
    await upstream.called()
    await asyncio.sleep(0.5)  # five times what an unwatched turn is given
    gate.set()
    assert '"completed"' in await asking


async def test_whoever_cancels_a_turn_leaves_it_interrupted(api: Api, upstream: FakeUpstream):
    """As a server does that is stopped by force."""
    upstream.answer_with(Answer.completion().held(asyncio.Event()))
    question = Question(openid="ann", messages=[Message("user", "hi")])
    asking = asyncio.create_task(api.client.app[CHAT].answer(question, lambda running: None))  # type: ignore[index]
    await upstream.called()
    asking.cancel()
    assert (await asking).status == "interrupted"
    assert [item["status"] for item in await api.history()] == ["interrupted"]


async def test_running_text_is_checkpointed(start: Start, upstream: FakeUpstream):
    api = await start(pace=Pace(checkpoint_seconds=0.02))
    upstream.answer_with(Answer.stream({"reasoning_content": "hm"}, "so far", asyncio.Event()))
    turn = await _running(api)
    async with asyncio.timeout(5):
        while (await api.history())[0]["reply"] != "so far":
            await asyncio.sleep(0.01)
    assert (await api.history())[0]["turn_id"] == turn["turn_id"]


async def test_stopping_lets_turns_end_and_takes_no_new_ones(start: Start, upstream: FakeUpstream):
    api = await start()
    gate = asyncio.Event()
    upstream.answer_with(Answer.completion("in time").held(gate))
    asking = asyncio.create_task(api.chat())
    await upstream.called()
    draining = asyncio.create_task(drain(api.client.app))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    status, envelope = await api.post("/api/chat", ASK)
    assert (status, envelope["data"]["type"]) == (503, "stopping")
    assert (await api.get("/readyz"))[0] == 503
    assert (await api.get("/healthz"))[0] == 200
    gate.set()
    await draining
    assert (await asking)["reply"] == "in time"


async def test_what_does_not_end_in_time_is_stored_as_interrupted_and_told(start: Start, upstream: FakeUpstream):
    api = await start(SHUTDOWN_GRACE_SECONDS="0.1")
    upstream.answer_with(Answer.stream("a part", asyncio.Event()))
    reading = asyncio.create_task(api.stream())
    await upstream.called()
    while (await api.history())[0]["status"] != "running":
        await asyncio.sleep(0.01)
    await drain(api.client.app)  # type: ignore[arg-type]
    last = (await reading)[-1]
    assert (last.name, last.data["status"], last.data["finish_reason"]) == ("done", "interrupted", "interrupted")
    (item,) = await (await start()).history()
    assert (item["status"], item["reply"]) == ("interrupted", last.data["reply"])


async def test_who_waits_for_a_whole_answer_is_told_of_the_interruption_too(start: Start, upstream: FakeUpstream):
    api = await start(SHUTDOWN_GRACE_SECONDS="0.1")
    upstream.answer_with(Answer.completion().held(asyncio.Event()))
    asking = asyncio.create_task(api.chat())
    await upstream.called()
    await drain(api.client.app)  # type: ignore[arg-type]
    assert (await asking)["status"] == "interrupted"


async def test_an_end_that_cannot_be_stored_yet_has_the_whole_grace(start: Start, upstream: FakeUpstream):
    api = await start(SHUTDOWN_GRACE_SECONDS="20", pace=Pace(store_retry_seconds=0.05))
    gate = asyncio.Event()
    upstream.answer_with(Answer.completion("x" * 300_000).held(gate))
    asking = asyncio.create_task(api.post("/api/chat", ASK))
    await upstream.called()
    await _fill_disk(api)
    draining = asyncio.create_task(drain(api.client.app))  # type: ignore[arg-type]
    gate.set()
    assert (await asking)[0] == 503
    await asyncio.sleep(5.5)  # longer than what turns get that are interrupted
    assert not draining.done()
    await api.client.app[DATABASE].write(Step("PRAGMA max_page_count = 1000000"))  # type: ignore[index]
    await draining
    assert [item["status"] for item in await api.history()] == ["completed"]


async def test_a_key_that_was_opened_elsewhere_leaves_nothing_running(api: Api):
    first = await api.chat(client_id="a-key")
    app = api.client.app
    assert app is not None
    turn = await app[TURNS].get(first["turn_id"], "ann")
    assert isinstance(turn, Turn)
    late = msgspec.structs.replace(turn, turn_id="late", status="running")

    async def work(running: RunningTurn) -> None:
        raise AssertionError("asked twice")

    # Another process opens it after we have looked: what is left of that for one process to test.
    assert (await app[TURNS]._runner.run(late, work, lambda running: None)).turn_id == first["turn_id"]
    assert len(app[TURNS].running) == 0


async def test_a_full_disk_at_the_end_of_a_turn_loses_nothing(start: Start, upstream: FakeUpstream):
    api = await start(pace=Pace(store_retry_seconds=0.05))
    gate = asyncio.Event()
    upstream.answer_with(Answer.completion("x" * 300_000).held(gate))
    asking = asyncio.create_task(api.post("/api/chat", ASK))
    await upstream.called()
    database = await _fill_disk(api)
    gate.set()
    status, envelope = await asking
    assert (status, envelope["data"]["type"]) == (503, "store_unavailable")
    assert (await api.get("/readyz"))[0] == 200
    (item,) = await api.history()
    assert (await api.get(f"/api/turns/{item['turn_id']}?wait=5"))[0] == 503  # until it is known how it ends
    await database.write(Step("PRAGMA max_page_count = 1000000"))
    async with asyncio.timeout(5):
        while (await api.history())[0]["status"] == "running":
            await asyncio.sleep(0.01)
    done = await api.data(f"/api/turns/{item['turn_id']}")
    assert (done["status"], len(done["reply"])) == ("completed", 300_000)
