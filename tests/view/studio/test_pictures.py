import asyncio
import contextlib
import gc
import http.client
import io
import struct
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from helpers.studios import studio, until
from PIL import Image

from planaria.data.images import picture
from planaria.view.studio.guard import Refusal
from planaria.view.studio.making import Maker


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with studio(tmp_path_factory.mktemp("pictures") / "runs") as s:
        yield s


def bytes_of(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def put(place, data: bytes, name: str = "cat.png"):
    return place.ask("PUT", f"/api/pictures?name={name}", data)[:2]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *extra: bytes, rows: bytes = b"") -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def left(place) -> list[str]:
    return sorted(p.name for p in (place.folder / ".pictures").iterdir())


def test_a_picture_is_taken_in_and_written_anew(place):
    image = Image.new("RGB", (1500, 300), (200, 60, 90))
    status, said = put(place, bytes_of(image, "JPEG"), "My%20Cat.JPG")
    assert status == 200, said
    assert (said["width"], said["height"]) == (1024, 205)
    assert Path(said["picture"]).name == "my-cat.png"
    assert picture(said["picture"], 20, 0).shape == (4, 4, 20)
    status, data, headers = place.ask("GET", said["thumb"])
    assert (status, headers["content-type"]) == (200, "image/png")
    assert data.startswith(b"\x89PNG")
    assert put(place, bytes_of(image, "JPEG"), "my-cat.gif")[1]["picture"] == said["picture"], "the same is kept once"
    other = put(place, bytes_of(Image.new("RGB", (9, 9), (1, 2, 3))), "../../my-cat.png")[1]
    assert Path(other["picture"]).name == "my-cat-2.png"
    for kind in ("GIF", "WEBP", "BMP"):
        assert put(place, bytes_of(Image.new("RGB", (9, 9), (1, 2, 3)), kind), "odd/%00name")[0] == 200
    assert all(name.endswith(".png") and not name.startswith(".") for name in left(place))


def test_grey_of_sixteen_bits_and_clear_parts_survive(place):
    grey = Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000)
    said = put(place, bytes_of(grey), "grey.png")[1]
    with Image.open(said["picture"]) as image:
        assert image.getpixel((7, 7))[0] in range(243, 248)
    assert "every pixel is transparent" in put(place, bytes_of(Image.new("RGBA", (8, 8))), "clear.png")[1]["error"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"hello, I am no picture", "no picture in a format known here"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><rect width='9' height='9'/></svg>", "no picture in a format"),
        (b"\xef\xbb\xbf <?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "no picture in a format"),
        (b"%PDF-1.7 \x89PNG", "no picture in a format"),
        (b"\x89PNG\r\n\x1a\n", "format known here"),
        (png(60_000, 60_000), "3,600.0 million pixels; the limit is 50 million"),
        (png(2**31 - 1, 2**31 - 1), "million pixels; the limit"),
        (png(8, 8, rows=b"\0"), "broken or cut short"),
        (bytes_of(Image.new("RGB", (64, 64), (9, 9, 9)))[:-30], "broken or cut short"),
        (b"GIF89a" + b"\xff" * 4000, "format known here|broken|million pixels"),
        (b"RIFF\x10\0\0\0WEBPVP8 \0\0\0\0", "format known here|broken"),
    ],
)
def test_what_is_no_picture_is_refused(place, data, why):
    import re

    for name in ("a.png", "a.svg"):
        status, said = put(place, data, name)
        assert status == 400, said
        assert re.search(why, said["error"]), said
        assert "/" not in said["error"].replace("text/", ""), "no path of this machine is told"
    assert not [name for name in left(place) if name.startswith(".")]


def bombs() -> dict[str, bytes]:
    text = zlib.compress(b"\0" * 100_000_000, 9)
    row = b"\0" + b"\0\0\0\xff" * 7000
    return {
        "compressed text": png(4, 4, chunk(b"zTXt", b"Comment\0\0" + text), rows=b"\0" * 100),
        "profile": png(4, 4, chunk(b"iCCP", b"p\0\0" + text), rows=b"\0" * 100),
        "more rows than told": png(4, 4, rows=b"\0" * 100_000_000),
        "as large as may be": png(7000, 7000, rows=row * 7000),
    }


def most_held(place) -> int:
    """Most kilobytes that the process which judges pictures ever held; 0 where there is none just now."""
    worker = place.inside.quick._process
    if worker is None or worker.returncode is not None:
        return 0
    status = Path(f"/proc/{worker.pid}/status").read_text()
    return max((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), default=0)


def test_bombs_do_no_harm(place):
    """While each is judged in a process of its own, the server goes on and that process stays small.

    What it holds before is not counted: torch for a GPU takes 300 MB more than torch for a CPU.
    """
    assert put(place, bytes_of(Image.new("RGB", (9, 9), (1, 2, 3))))[0] == 200
    before = most_held(place)
    assert before > 0
    for name, data in bombs().items():
        assert len(data) < 1_000_000
        answers, largest = [], 0
        judge = threading.Thread(target=lambda data=data, answers=answers: answers.append(put(place, data, "bomb.png")))
        judge.start()
        while judge.is_alive():
            start = time.monotonic()
            assert place.ask("GET", "/api/thumb?source=no")[0] == 404
            assert time.monotonic() - start < 5
            largest = max(largest, most_held(place) - before)
            time.sleep(0.02)
        judge.join()
        status, said = answers[0]
        assert status in (200, 400), (name, said)
        assert largest < 700_000, f"{name}: {largest} kB"


def test_a_judge_that_dies_or_hangs_is_replaced(place):
    data = bytes_of(Image.new("RGB", (9, 9), (1, 2, 3)))
    assert put(place, data)[0] == 200
    place.inside.quick._process.kill()
    assert put(place, data)[0] in (200, 500)
    place.inside.quick.seconds, usual = 0.0, place.inside.quick.seconds
    status, said = put(place, data)
    assert (status, "longer than" in said["error"]) == (504, True)
    place.inside.quick.seconds = usual
    assert put(place, data)[0] == 200


def test_thumbnails_of_what_the_form_offers(place):
    for source in ("lizard", "text:HI"):
        status, data, _ = place.ask("GET", f"/api/thumb?source={source}")
        assert status == 200
        with Image.open(io.BytesIO(data)) as image:
            assert max(image.size) == 192
    kept = put(place, bytes_of(Image.new("RGB", (9, 9), (7, 7, 7))))[1]["picture"]
    assert place.ask("GET", f"/api/thumb?source={kept}")[0] == 200


def test_nothing_is_made_after_the_end(tmp_path):
    async def main() -> None:
        maker = Maker(60)
        jobs = [
            asyncio.create_task(maker.do("thumb", source="text:HI", output=str(tmp_path / f"{k}.png")))
            for k in range(4)
        ]
        while maker._process is None:
            await asyncio.sleep(0.01)
        await maker.end()
        found = await asyncio.gather(*jobs, maker.do("warm"), return_exceptions=True)
        assert [type(one) for one in found] == [Refusal] * 5
        assert [one.status for one in found if isinstance(one, Refusal)] == [500, 503, 503, 503, 503]
        assert maker._process is None

    asyncio.run(main())


def test_a_studio_ends_while_thumbnails_wait(tmp_path, caplog):
    def ask(source: str) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            s.ask("GET", f"/api/thumb?source=text:{source}")

    with studio(tmp_path / "runs") as s:
        asking = [threading.Thread(target=ask, args=(source,)) for source in "ABCDEF"]
        for one in asking:
            one.start()
        until(lambda: s.inside.quick._waiting > 3)
    for one in asking:
        one.join()
    gc.collect()
    assert "never retrieved" not in caplog.text


def test_what_a_picture_brings_with_it_is_told_and_shown_cut_out(place):
    image = Image.new("RGB", (80, 80), "white")
    image.paste("#c04020", (20, 30, 60, 50))
    status, said = put(place, bytes_of(image), "egg.png")
    assert status == 200
    assert said["remark"]["text"].startswith("egg.png lies on a plain white background")
    assert said["remark"]["settings"] == {"background": "auto", "trim": "true"}
    source = f"/api/thumb?source={said['picture']}"
    for look, size, corner in (("", (80, 80), 255), ("&background=auto", (80, 80), 0), ("&trim=true", (80, 80), 255)):
        status, data, _ = place.ask("GET", source + look)
        assert status == 200
        with Image.open(io.BytesIO(data)) as shown:
            assert shown.size == size
            assert shown.convert("RGBA").getpixel((0, 0))[3] == corner
    with Image.open(io.BytesIO(place.ask("GET", f"{source}&background=auto&trim=true")[1])) as shown:
        assert shown.size == (40, 20)
    status, said, _ = place.ask("GET", f"{source}&background=wite")
    assert status == 400
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)
    assert put(place, bytes_of(Image.fromarray(noise)), "photo.png")[1]["remark"] is None
