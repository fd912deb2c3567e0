"""One training in a folder: whoever comes second is refused, whatever the first is doing, and no corpse holds on."""

import errno
import subprocess
import sys

import pytest
from filelock import FileLock

from planaria import store
from planaria.errors import UserError
from planaria.store import lock

HOLD = "import sys; from pathlib import Path; from planaria.store import lock; h = lock.take(Path(sys.argv[1]));"


def holder(folder, words: str = "print('held', flush=True); input()") -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD + words, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_a_folder_is_had_by_one_until_it_lets_go(tmp_path):
    folder = tmp_path / "runs" / "a"
    assert not lock.is_held(folder)
    hold = lock.take(folder)
    with pytest.raises(lock.Busy, match="a is being trained by another process"):
        lock.Hold(folder, patience=0)
    assert lock.is_held(folder)
    hold.release()
    assert not lock.is_held(folder)
    assert list(folder.iterdir()) == []


def test_another_process_has_it_until_it_ends_however_it_ends(tmp_path):
    for end in ("kill", "terminate"):
        process = holder(tmp_path)
        assert lock.is_held(tmp_path)
        with pytest.raises(lock.Busy):
            lock.take(tmp_path)
        getattr(process, end)()
        process.communicate()
        assert not lock.is_held(tmp_path), "looking takes nothing away"
        lock.take(tmp_path).release()


def test_looking_on_keeps_nobody_out(tmp_path):
    looking = holder(tmp_path, "h.release(); print('held', flush=True); [lock.is_held(h.folder) for _ in range(9999)]")
    for _ in range(50):
        lock.take(tmp_path).release()
    looking.kill()
    looking.communicate()


def test_what_was_made_for_a_run_that_never_began_is_taken_away_again(tmp_path):
    hold = lock.take(tmp_path / "runs" / "a")
    hold.release(undo=True)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine").touch()
    lock.take(tmp_path / "b").release(undo=True)
    assert [p.name for p in (tmp_path / "b").iterdir()] == ["mine"]


def test_a_folder_that_went_away_is_not_made_anew(tmp_path):
    hold = lock.take(tmp_path / "a")
    store.write_bytes(tmp_path / "a" / "config.yaml", b"task: grow\n")
    hold.settle()
    (tmp_path / "a").rename(tmp_path / "b")
    with pytest.raises(UserError, match="a went away while it was being trained.*planaria train FOLDER --resume"):
        store.write_bytes(tmp_path / "a" / "model", b"x")
    assert not (tmp_path / "a").exists()
    other = lock.take(tmp_path / "a")
    (tmp_path / "a" / "config.yaml").touch()
    with pytest.raises(UserError, match="went away"):
        hold.demand()
    hold.release()
    assert lock.is_held(tmp_path / "a"), "the lock of another in its place is not ours to remove"
    other.release()


def test_a_folder_that_was_emptied_is_not_filled_again(tmp_path):
    hold = lock.take(tmp_path)
    (tmp_path / "config.yaml").touch()
    hold.settle()
    (tmp_path / "config.yaml").unlink()
    with pytest.raises(UserError, match="went away"):
        store.write_bytes(tmp_path / "model", b"x")


def test_what_killed_processes_left_is_removed(tmp_path):
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    ours = store.spare(tmp_path / "model")
    left = ours.name.replace(f"-{lock.os.getpid()}-", f"-{dead.stdout.strip()}-")
    (tmp_path / left).touch()
    ours.touch()
    store.write_bytes(tmp_path / "other", b"x")
    assert {p.name for p in tmp_path.iterdir()} == {ours.name, "other"}, "another may still write"
    (tmp_path / ".requests.json.1-1-1.part").touch()
    lock.take(tmp_path).release()
    assert {p.name for p in tmp_path.iterdir()} == {".requests.json.1-1-1.part", "other"}, "nobody else writes"


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_told_and_trained_on(tmp_path, monkeypatch, number):
    def refuse(*_: object, **__: object) -> None:
        (tmp_path / lock.NAME).touch()
        raise OSError(number, "no locks here")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    with pytest.warns(UserWarning, match="file system without locks: start no second training"):
        hold = lock.take(tmp_path)
    hold.release()
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_place_for_a_run_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "odd" / lock.NAME).mkdir(parents=True)
    for folder in (tmp_path / "file" / "a", tmp_path / "odd"):
        with pytest.raises(UserError, match="can't write"):
            lock.take(folder)


def test_what_is_in_the_way_of_a_lock_is_named(tmp_path):
    for name in ("folder", "link", "nowhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "folder" / lock.NAME).mkdir()
    (tmp_path / "link" / lock.NAME).symlink_to(tmp_path / "victim")
    (tmp_path / "victim").touch()
    (tmp_path / "nowhere").rmdir()
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    for name, says in (
        ("folder", r"\.lock is a folder; remove it$"),
        ("link", r"\.lock is a link; remove it$"),
        ("nowhere", "nowhere is a link that leads nowhere; remove it$"),
    ):
        with pytest.raises(UserError, match=says):
            lock.take(tmp_path / name)
