"""Files that nobody vouches for: what is no regular file, or lies elsewhere, is refused at once."""

import os

import pytest

from planaria.files import open_regular, read


def test_a_regular_file_is_read_to_its_limit(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read(path, 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        read(path, 4)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_without_a_writer_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        open_regular(tmp_path / "pipe")


def test_a_folder_and_a_device_are_refused(tmp_path):
    for path in (tmp_path, "/dev/zero"):
        with pytest.raises(OSError):
            read(path, 10)


def test_a_link_out_of_the_folder_is_refused_and_one_within_is_followed(tmp_path):
    (tmp_path / "secret").write_bytes(b"s")
    inside = tmp_path / "run"
    inside.mkdir()
    (inside / "own").write_bytes(b"o")
    (inside / "out").symlink_to(tmp_path / "secret")
    (inside / "in").symlink_to(inside / "own")
    assert read(inside / "in", 10, inside=inside) == b"o"
    with pytest.raises(OSError, match="a link that leads out of run"):
        read(inside / "out", 10, inside=inside)
