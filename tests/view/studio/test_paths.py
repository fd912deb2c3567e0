import os
import shutil

import pytest
from helpers.studios import model, studio, training

SECRET = b"nobody may read this"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    base = tmp_path_factory.mktemp("paths")
    outside = base / "outside"
    training(outside / "hidden")
    model(outside / "hidden" / "model.safetensors")
    (outside / "hidden" / "README.md").write_bytes(SECRET)
    (base / "secret.txt").write_bytes(SECRET)
    runs = base / "runs"
    training(runs / "fine")
    model(runs / "fine" / "model.safetensors")
    (runs / "fine" / "config.yaml.bak").write_bytes(SECRET)
    (runs / "fine" / "README.md").symlink_to(base / "secret.txt")
    (runs / "fine" / "loss.png").symlink_to("/dev/zero")
    (runs / "fine" / "strip.png").mkdir()
    (runs / "linked").symlink_to(outside / "hidden")
    (runs / "looped").symlink_to(runs / "looped")
    (runs / ".hidden").mkdir()
    shutil.copytree(outside / "hidden", runs / ".hidden", dirs_exist_ok=True)
    (runs / ".pictures").mkdir()
    (runs / ".pictures" / "leak.png").symlink_to(base / "secret.txt")
    os.mkfifo(runs / "fine" / "film.webp")
    with studio(runs) as s:
        yield s


def test_what_is_there_can_be_had(place):
    assert place.ask("GET", "/files/runs/fine/metrics.jsonl")[0] == 200
    status, data, headers = place.ask("GET", "/files/runs/fine/model.safetensors")
    assert (status, headers["content-type"]) == (200, "application/octet-stream")
    assert headers["content-disposition"] == 'attachment; filename="fine.safetensors"'
    assert data == (place.folder / "fine" / "model.safetensors").read_bytes()
    assert place.ask("GET", "/files/gallery/heart/model.safetensors")[0] == 200


@pytest.mark.parametrize(
    "name",
    ["..", "%2e%2e", "%2e%2e%2foutside%2fhidden", "..%5coutside", "linked", "looped", ".hidden", ".pictures", "%00",
     "fine%00", "%2fetc", "a" * 5000, "%ff%fe", ""],
)  # fmt: skip
def test_no_name_leads_out(place, name):
    for path in (
        f"/api/runs/{name}", f"/api/runs/{name}/metrics", f"/api/runs/{name}/player", f"/files/runs/{name}/README.md",
        f"/made/runs/{name}/film.webp", f"/export/runs/{name}/{name}.html", f"/files/gallery/{name}/model.safetensors",
    ):  # fmt: skip
        status, said, _ = place.ask("GET", path)
        assert status in (403, 404, 405), (path, status)
        assert SECRET not in (said if isinstance(said, bytes) else b"")
    for path in (f"/api/runs/{name}/request", f"/api/runs/{name}/resume"):
        assert place.ask("POST", path, b'{"stop": true}')[0] in (404, 405), path
    assert place.ask("DELETE", f"/api/runs/{name}")[0] in (404, 405)


@pytest.mark.parametrize(
    "file",
    ["README.md", "loss.png", "strip.png", "film.webp", "checkpoint.safetensors", "config.yaml.bak",
     "..%2f..%2fsecret.txt", "../../secret.txt", "%2e%2e/%2e%2e/secret.txt", "%2fetc%2fpasswd", "//etc/passwd",
     "config.yaml%00.png", "."],
)  # fmt: skip
def test_no_file_leads_out(place, file):
    status, said, _ = place.ask("GET", f"/files/runs/fine/{file}")
    assert status == 404, said
    assert "error" in said


@pytest.mark.parametrize(
    "file", ["../cli/__init__.py", "..%2fcli%2f__init__.py", "__init__.py", "%2e%2e", ".", "x.js", "%00.js"]
)
def test_the_page_has_its_own_files_only(place, file):
    assert place.ask("GET", f"/web/{file}")[0] == 404


@pytest.mark.parametrize(
    "file", ["leak.png", "..%2ffine%2fstrip.png", "..%2f..%2fsecret.txt", "A.png", "a.svg", "%00.png"]
)
def test_pictures_stay_in_their_folder(place, file):
    assert place.ask("GET", f"/pictures/{file}")[0] == 404


@pytest.mark.parametrize("source", ["/etc/passwd", "http://127.0.0.1:1/a.png", "file:///etc/passwd", "medmnist:a/0", "",
                                    "runs/.pictures/../../secret.txt", "fine.png", "text:" + "a" * 999])  # fmt: skip
def test_thumbnails_are_of_what_the_page_offers_only(place, source):
    assert place.ask("GET", f"/api/thumb?source={source}")[0] == 404


def test_no_run_is_listed_that_lies_elsewhere(place):
    assert [card["name"] for card in place.get("/api/home")[1]["runs"]] == ["fine"]
    assert (place.folder.parent / "outside" / "hidden").is_dir()
