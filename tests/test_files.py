"""Files that nobody vouches for: what is no regular file, or lies elsewhere, is refused at once."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save

from planaria.files import HEAD, open_regular, read, what_it_really_is


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


def _saved(write) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def _zipped(buffer) -> None:
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("notes.txt", "hello")


def _picture(kind: str) -> bytes:
    return _saved(lambda buffer: Image.new("RGB", (4, 4)).save(buffer, kind))


def _tensors(buffer) -> None:
    torch.save({"w": torch.ones(2)}, buffer)


def _old_tensors(buffer) -> None:
    torch.save({"w": torch.ones(2)}, buffer, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "a Git LFS pointer: run git lfs pull"),
        (b"../../.git/annex/objects/x1/MD5", "a git-annex pointer"),
        (b"<!DOCTYPE html><title>404</title>", "a web page, not the file: use the raw link"),
        (b"\xef\xbb\xbf\r\n<!-- x --> <HTML lang=en>", "a web page"),
        ("<html><body>é</body></html>".encode("latin-1"), "a web page"),
        ("<html></html>".encode("utf-16"), "a web page"),
        (b'<?xml version="1.0"?><!DOCTYPE html PUBLIC "x"><html/>', "a web page"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "a server's error message"),
        (b'<a href="x">moved</a>', "a web page"),
        (b"\x89PNG\n\x1a\n\0\0\0\rIHDR", "a PNG picture that was sent as text, and broke: fetch it again"),
        (b"\xef\xbf\xbdPNG\r\n\x1a\n\0\0\0\rIHDR", "a PNG picture that was sent as text"),
        (b"404: Not Found", "a server's error message"),
        (b"Entry not found", "a server's error message"),
        (b'{"message": "Bad credentials"}', "JSON, as a server answers"),
        (b"[1, 2]", "JSON"),
        (b'<?xml version="1.0"?><!-- c --><svg xmlns="x"/>', "an SVG drawing"),
        (b"#N Glider\nx = 3, y = 3\nbob$2bo$3o!", "a pattern of Life"),
        (b"!Name: glider\n.O\n", "a pattern of Life"),
        (b"well\n", "plain text"),
        (b"%PDF-1.7", "a PDF"),
        (b"\0\0\0\x18ftypheic", "a HEIC picture"),
        (b"\0\0\0\x20ftypavif", "an AVIF picture"),
        (b"\0\0\0\x20ftypmif1\0\0\0\0miafavif", "an AVIF picture"),
        (b"\0\0\0\x18ftypisom", "an MP4 or MOV film"),
        (b"\x08\x07\x12\x07pytorch\x1a\x03", "an ONNX graph"),
        (b"\x81\xa6params\x82", "a msgpack file"),
        (b"\x1f\x8b\x08", "a packed file"),
        (pickle.dumps([1]), "a Python pickle"),
        (_saved(_tensors), "a PyTorch file"),
        (_saved(_old_tensors), "a PyTorch file"),
        (b"PK\x03\x04" + bytes(22) + b"\x0f\0\x13\0w_script/data/0FB\x0f\0ZZZ", "a PyTorch file"),
        (_saved(lambda buffer: np.savez(buffer, a=np.ones(3))), "a NumPy archive"),
        (_saved(_zipped), "a ZIP archive"),
        (save({"w": torch.ones(2)}), "a safetensors file"),
        (_picture("PNG"), "a PNG picture"),
        (_picture("JPEG"), "a JPEG picture"),
        (_picture("TIFF"), "a TIFF picture"),
        (_picture("BMP"), "a BMP picture"),
        (_picture("GIF"), "a GIF"),
        (b"\xfe\x01\x02\x03", ""),
    ],
)
def test_what_a_file_is_shows_in_its_first_bytes(data, told):
    found = what_it_really_is(data[:HEAD])
    assert found.startswith(told)
    assert bool(found) == bool(told)


def test_no_head_makes_the_look_at_it_take_turns_without_end():
    for spun in (b"<!---->", b"<??>", b"#\n", b"!\n", b" \n"):
        assert isinstance(what_it_really_is((spun * HEAD)[:HEAD]), str)
