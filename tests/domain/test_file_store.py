from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import signal
import stat
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from service.domain.file_store import FileStore
from service.domain.file_writer import StoredFile
from service.domain.picture_types import aigc_chunk
from service.errors import NotFound, ServiceError, StartError, TooLarge, Unavailable, UnsupportedMedia
from tests.fakes import pictures

_LIMIT_BYTES = 8 << 20
_DAY = 86_400


class SetClock:
    def __init__(self) -> None:
        self.seconds = 1_700_000_000

    def now_ms(self) -> int:
        return self.seconds * 1000


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "files"


@pytest.fixture
async def store(folder: Path, clock: SetClock) -> AsyncIterator[FileStore]:
    store = FileStore(folder, max_bytes=1 << 20, ttl_seconds=30 * _DAY, clock=clock)
    await store.open()
    yield store
    assert not any(name.endswith(".part") for name in names(folder) - {"a" * 32 + ".part"})


async def save(store: FileStore, data: bytes, *, piece_bytes: int = 1 << 16, label: bytes = b"") -> StoredFile:
    async with store.new_file(limit_bytes=_LIMIT_BYTES, png_chunk=label) as writer:
        for start in range(0, len(data), piece_bytes):
            await writer.write(data[start : start + piece_bytes])
        return await writer.finish()


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


async def test_a_picture_is_found_under_the_name_of_its_content(store: FileStore) -> None:
    data = pictures.png(40, 30)
    stored = await save(store, data)
    digest = hashlib.sha256(data).hexdigest()[:40]
    assert stored == StoredFile(name=f"{digest}.png", mime="image/png", size=len(data), width=40, height=30)
    assert store.path_of(stored.name).read_bytes() == data


@pytest.mark.parametrize("piece_bytes", [1, 7, 1 << 20])
async def test_the_pieces_it_comes_in_do_not_matter(store: FileStore, piece_bytes: int) -> None:
    data = pictures.png(10, 10)
    stored = await save(store, data, piece_bytes=piece_bytes)
    assert store.path_of(stored.name).read_bytes() == data


async def test_a_picture_of_many_blocks_arrives_whole(store: FileStore) -> None:
    data = pictures.png(500, 500)
    stored = await save(store, data, piece_bytes=10_000)
    assert store.path_of(stored.name).read_bytes() == data


async def test_nobody_else_may_read_the_files(store: FileStore, folder: Path) -> None:
    stored = await save(store, pictures.gif())
    modes = [stat.S_IMODE(os.stat(path).st_mode) for path in (folder, store.path_of(stored.name))]
    assert modes == [0o700, 0o600]


@pytest.mark.parametrize(
    "data",
    [pictures.SVG * 1000, b"<html>" * 1000, b"", b"\x89PNG", pictures.png()[:-1]],
    ids=["svg", "html", "empty", "only a magic", "cut"],
)
async def test_what_is_no_whole_picture_leaves_no_file(store: FileStore, folder: Path, data: bytes) -> None:
    with pytest.raises(UnsupportedMedia):
        await save(store, data)
    assert names(folder) == set()


async def test_another_type_is_refused_at_its_first_bytes(store: FileStore) -> None:
    async with store.new_file(limit_bytes=_LIMIT_BYTES) as writer:
        with pytest.raises(UnsupportedMedia):
            await writer.write(pictures.SVG[:16])


async def test_a_picture_beyond_its_limit_is_refused_as_it_arrives(store: FileStore, folder: Path) -> None:
    data = pictures.png(400, 300)
    async with store.new_file(limit_bytes=300_000) as writer:
        await writer.write(data[:300_000])
        with pytest.raises(TooLarge):
            await writer.write(b"\0")
    assert names(folder) == set()


async def test_no_picture_may_be_larger_than_the_whole_budget(store: FileStore) -> None:
    with pytest.raises(TooLarge):
        await save(store, pictures.png(700, 700))


async def test_a_writer_that_is_left_leaves_no_file(store: FileStore, folder: Path) -> None:
    async with store.new_file(limit_bytes=_LIMIT_BYTES) as writer:
        await writer.write(pictures.png(400, 300))
        assert len(names(folder)) == 1
    assert names(folder) == set()


async def test_disk_work_that_comes_too_late_makes_no_file(store: FileStore, folder: Path) -> None:
    async with store.new_file(limit_bytes=_LIMIT_BYTES) as writer:
        writer.discard()
        await writer.write(pictures.png(400, 300))
        assert names(folder) == set()


async def test_a_writer_cancelled_at_its_disk_work_leaves_no_file(store: FileStore, folder: Path) -> None:
    data = pictures.png(400, 300)
    begun = asyncio.Event()

    async def write_on() -> None:
        async with store.new_file(limit_bytes=_LIMIT_BYTES) as writer:
            begun.set()
            await writer.write(data)
            await writer.finish()
            await writer.finish()  # never reached, whenever the cancellation comes

    for turns_of_the_loop in range(5):
        begun.clear()
        task = asyncio.create_task(write_on())
        await begun.wait()
        for _ in range(turns_of_the_loop):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert {name for name in names(folder) if name.endswith(".part")} == set()


async def test_the_same_picture_twice_is_one_file(store: FileStore, folder: Path) -> None:
    first = await save(store, pictures.gif())
    second = await save(store, pictures.gif())
    assert first == second
    assert names(folder) == {first.name}


async def test_the_same_picture_at_once_is_one_file(store: FileStore, folder: Path) -> None:
    stored = await asyncio.gather(*(save(store, pictures.png(200, 200)) for _ in range(20)))
    assert names(folder) == {stored[0].name}
    assert store.path_of(stored[0].name).read_bytes() == pictures.png(200, 200)


async def test_a_labelled_file_holds_the_label_and_is_named_by_it(store: FileStore) -> None:
    label = aigc_chunk(producer="us", produce_id="turn-1")
    stored = await save(store, pictures.png(40, 30), piece_bytes=9, label=label)
    data = store.path_of(stored.name).read_bytes()
    assert data.count(label) == 1
    assert (stored.size, stored.name[:40]) == (len(data), hashlib.sha256(data).hexdigest()[:40])


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../service.db",
        "a" * 40,
        "a" * 40 + ".svg",
        "A" * 40 + ".png",
        "a" * 39 + ".png",
        "a" * 40 + ".png\n",
        "a" * 40 + ".png\0",
        "/etc/passwd",
        "x/../" + "a" * 40 + ".png",
        "a" * 32 + ".part",
        "１" * 40 + ".png",
    ],
)
async def test_no_other_name_leads_anywhere(store: FileStore, folder: Path, name: str) -> None:
    with suppress(OSError, ValueError):  # some cannot even be made
        os.makedirs((folder / name).parent, exist_ok=True)
        (folder / name).touch()
    with pytest.raises(NotFound):
        store.path_of(name)


async def test_a_file_that_is_gone_is_not_found(store: FileStore) -> None:
    stored = await save(store, pictures.gif())
    await store.remove(stored.name)
    with pytest.raises(NotFound) as missing:
        store.path_of(stored.name)
    assert missing.value.type == "file_not_found"


async def test_removing_what_is_not_ours_does_nothing(store: FileStore, folder: Path) -> None:
    (folder / "keep.txt").touch()
    for name in ("keep.txt", "../files/keep.txt", "a" * 40 + ".png"):
        await store.remove(name)
    assert names(folder) == {"keep.txt"}


async def test_files_are_swept_when_their_time_is_over(store: FileStore, folder: Path, clock: SetClock) -> None:
    old = await save(store, pictures.gif(1, 1))
    clock.seconds += 20 * _DAY
    young = await save(store, pictures.gif(2, 2))
    clock.seconds += 10 * _DAY
    await store.sweep()
    assert (store.take_swept(), store.take_swept()) == ([old.name], [])
    assert names(folder) == {young.name}


async def test_the_same_content_again_begins_its_age_anew(store: FileStore, clock: SetClock) -> None:
    stored = await save(store, pictures.gif())
    clock.seconds += 20 * _DAY
    await save(store, pictures.gif())
    clock.seconds += 20 * _DAY
    await store.sweep()
    assert store.take_swept() == []
    assert store.path_of(stored.name)


async def test_beyond_the_budget_the_oldest_go_first(store: FileStore, folder: Path, clock: SetClock) -> None:
    stored = []
    for seed in range(6):  # about 270 kB each, a budget of 1 MiB
        clock.seconds += 1
        stored.append(await save(store, pictures.png(300, 300, seed=seed)))
    assert names(folder) == {file.name for file in stored[-3:]}
    assert set(store.take_swept()) == {file.name for file in stored[:-3]}


async def test_what_was_swept_and_came_again_is_not_told_as_swept(store: FileStore, clock: SetClock) -> None:
    await save(store, pictures.gif())
    clock.seconds += 40 * _DAY
    await store.sweep()
    await save(store, pictures.gif())
    assert store.take_swept() == []


async def test_the_youngest_stays_even_when_all_are_of_one_moment(store: FileStore) -> None:
    for seed in range(6):
        stored = await save(store, pictures.png(300, 300, seed=seed))
        assert store.path_of(stored.name)


async def test_what_lay_there_before_counts_for_the_budget(store: FileStore, folder: Path, clock: SetClock) -> None:
    old = [await save(store, pictures.png(300, 300, seed=seed)) for seed in range(3)]
    clock.seconds += 1
    again = FileStore(folder, max_bytes=1 << 20, ttl_seconds=30 * _DAY, clock=clock)
    await again.open()
    await save(again, pictures.png(300, 300, seed=9))
    assert len(names(folder) & {file.name for file in old}) == 2


async def test_leftovers_of_a_crash_are_cleared_at_the_start(folder: Path, clock: SetClock) -> None:
    os.makedirs(folder)
    for name, age_seconds in (("a" * 32 + ".part", 4000), ("b" * 32 + ".part", 60), ("notes.txt", 10**8)):
        (folder / name).touch()
        os.utime(folder / name, (clock.seconds - age_seconds,) * 2)
    await FileStore(folder, max_bytes=1 << 20, ttl_seconds=_DAY, clock=clock).open()
    assert names(folder) == {"b" * 32 + ".part", "notes.txt"}  # a young one may be another process's


@contextmanager
def disk_full_beyond(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


async def test_a_full_disk_is_told_as_unavailable_and_leaves_no_file(store: FileStore, folder: Path) -> None:
    with disk_full_beyond(300_000), pytest.raises(Unavailable) as refused:
        await save(store, pictures.png(400, 300))
    assert refused.value.type == "store_unavailable"
    assert names(folder) == set()


async def test_a_folder_that_cannot_be_made_is_told_at_the_start(tmp_path: Path, clock: SetClock) -> None:
    (tmp_path / "files").touch()
    with pytest.raises(StartError, match="FILES_DIR"):
        await FileStore(tmp_path / "files", max_bytes=1, ttl_seconds=1, clock=clock).open()


async def test_the_loop_runs_on_while_the_disk_is_slow(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    loop, fsync = asyncio.get_running_loop(), os.fsync
    entered, released = asyncio.Event(), threading.Event()

    def slow_fsync(descriptor: int) -> None:
        loop.call_soon_threadsafe(entered.set)
        assert released.wait(5)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", slow_fsync)
    saving = asyncio.create_task(save(store, pictures.gif()))
    await entered.wait()
    released.set()
    assert await saving


async def test_readers_see_only_whole_files(store: FileStore, folder: Path) -> None:
    data = pictures.png(400, 300)
    async with store.new_file(limit_bytes=_LIMIT_BYTES) as writer:
        await writer.write(data)
        assert not any(name.endswith(".png") for name in names(folder))
        stored = await writer.finish()
    assert store.path_of(stored.name).read_bytes() == data


async def test_every_refusal_is_of_the_contract(store: FileStore) -> None:
    for data in (b"x" * 100, pictures.png(1, 1)[:40], pictures.png(700, 700)):
        with pytest.raises(ServiceError) as refused:
            await save(store, data)
        assert refused.value.message("zh")
