from __future__ import annotations

import asyncio

import pytest

from service.upstream.deadlines import Deadlines


class Waiter:
    def __init__(self) -> None:
        self.until = 0.0
        self.expired = asyncio.Event()

    def expire(self) -> None:
        assert not self.expired.is_set()
        self.expired.set()


@pytest.fixture
async def deadlines() -> Deadlines:
    return Deadlines(asyncio.get_running_loop())


def soon(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_whoever_has_waited_for_too_long_expires_once(deadlines: Deadlines) -> None:
    first, second = Waiter(), Waiter()
    deadlines.watch(first, soon(0.01))
    deadlines.watch(second, soon(0.03))
    await first.expired.wait()
    assert not second.expired.is_set()
    await second.expired.wait()


async def test_an_earlier_deadline_is_not_kept_waiting_by_a_later_one(deadlines: Deadlines) -> None:
    late, early = Waiter(), Waiter()
    deadlines.watch(late, soon(60))
    deadlines.watch(early, soon(0.01))
    async with asyncio.timeout(2):
        await early.expired.wait()
    assert not late.expired.is_set()


async def test_a_deadline_can_be_put_off_without_a_word(deadlines: Deadlines) -> None:
    patient, other = Waiter(), Waiter()
    deadlines.watch(patient, soon(0.01))
    deadlines.watch(other, soon(0.01))
    patient.until = soon(0.03)
    await other.expired.wait()
    assert not patient.expired.is_set()
    await patient.expired.wait()


async def test_who_is_forgotten_does_not_expire(deadlines: Deadlines) -> None:
    forgotten, other = Waiter(), Waiter()
    deadlines.watch(forgotten, soon(0.01))
    deadlines.watch(other, soon(0.02))
    deadlines.forget(forgotten)
    await other.expired.wait()
    assert not forgotten.expired.is_set()


async def test_who_expires_can_wait_again(deadlines: Deadlines) -> None:
    class Stubborn(Waiter):
        times = 0

        def expire(self) -> None:
            self.times += 1
            if self.times < 3:
                deadlines.watch(self, soon(0.01))
            else:
                super().expire()

    async with asyncio.timeout(2):
        stubborn = Stubborn()
        deadlines.watch(stubborn, soon(0.01))
        await stubborn.expired.wait()


async def test_there_is_a_next_time_after_the_last_has_expired(deadlines: Deadlines) -> None:
    for _ in range(2):
        waiter = Waiter()
        deadlines.watch(waiter, soon(0.01))
        async with asyncio.timeout(2):
            await waiter.expired.wait()
