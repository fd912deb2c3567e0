"""Routes of the studio, and the part that answers each."""

import asyncio
import contextlib
import functools
import hashlib
import mimetypes
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from planaria import __version__
from planaria.core.damage import Damage
from planaria.errors import UserError
from planaria.store import live, run_folder
from planaria.store.cards import Settings
from planaria.store.run_folder import RunFolder
from planaria.view.studio.feed import Feed
from planaria.view.studio.films import Films
from planaria.view.studio.forms import filled, forms, inputs, name_for, surveyed
from planaria.view.studio.guard import Guard, Refusal, read_json, refused
from planaria.view.studio.launch import Trainings
from planaria.view.studio.making import Cache, Maker
from planaria.view.studio.pictures import Pictures
from planaria.view.studio.runs import Runs

FILM_SECONDS, PICTURE_SECONDS = 300.0, 60.0
"""Seconds that one film or export, one picture may take to make."""
REAP_SECONDS = 0.5
WEB = re.compile(r"(?:[a-z]+/)?[a-z][a-z0-9_-]*\.(?:js|json|css|html|svg|png|ico|wasm)")
EXPORTS = (".html", ".gif", ".webp", ".mp4", ".png", ".onnx")


class Studio:
    """State and routes of the studio, for one folder of runs."""

    def __init__(self, folder: Path):
        self.runs = Runs(folder)
        self.trainings = Trainings(self.runs)
        self.slow, self.quick = Maker(FILM_SECONDS), Maker(PICTURE_SECONDS)
        self.cache = Cache(folder / ".cache", self.slow)
        self.pictures = Pictures(folder, self.quick)
        self.films = Films(folder, self.quick)
        self.feed = Feed(self.runs, self.home)

    def app(self, **patience: float) -> ASGIApp:
        """Build the ASGI application; `patience` is the guard's."""

        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            reaping = asyncio.create_task(self._reap())
            yield
            reaping.cancel()
            await asyncio.gather(self.slow.end(), self.quick.end())

        one = "/api/runs/{name}"
        routes: list[tuple[str, str, Callable[[Request], Awaitable[Response]]]] = [
            ("GET", "/", self.page),
            ("GET", "/playground", self.playground),
            ("GET", "/web/{file:path}", self.web),
            ("GET", "/api/home", self.get_home),
            ("GET", "/api/forms", self.get_forms),
            ("GET", "/api/thumb", self.get_thumb),
            ("PUT", "/api/pictures", self.put_picture),
            ("GET", "/pictures/{file}", self.get_picture),
            ("PUT", "/api/films", self.put_film),
            ("POST", "/api/survey", self.survey),
            ("POST", "/api/runs", self.start),
            ("GET", one, self.get_run),
            ("DELETE", one, self.put_away),
            ("GET", f"{one}/metrics", self.get_metrics),
            ("POST", f"{one}/request", self.request),
            ("POST", f"{one}/resume", self.resume),
            ("GET", "/api/{kind}/{name}/player", self.get_player),
            ("GET", "/files/{kind}/{name}/{file}", self.get_file),
            ("GET", "/made/{kind}/{name}/{file}", self.get_made),
            ("GET", "/export/{kind}/{name}/{file}", self.get_export),
        ]
        starlette = Starlette(
            routes=[
                *(Route(path, call, methods=[method]) for method, path, call in routes),
                WebSocketRoute("/ws/home", self.listen_home),
                WebSocketRoute("/ws/runs/{name}", self.listen_run),
            ],
            exception_handlers={
                Refusal: _on_refusal, UserError: _on_mistake, HTTPException: _on_http,
                FileNotFoundError: _on_gone, Exception: _on_bug,
            },
            lifespan=lifespan,
        )  # fmt: skip
        starlette.router.redirect_slashes = False
        return Guard(starlette, **patience)

    async def _reap(self) -> None:
        while True:
            await asyncio.to_thread(self.trainings.reap)
            await asyncio.sleep(REAP_SECONDS)

    def home(self) -> dict[str, Any]:
        """All cards."""
        return {**self.runs.home(), "folder": str(self.runs.folder), "version": __version__}

    async def page(self, _: Request) -> Response:
        """The page itself."""
        return _web("studio/page.html")

    async def playground(self, _: Request) -> Response:
        """The page that trains in the browser; its own policy lets it do that, and speak with nobody."""
        body, policy = await asyncio.to_thread(_playground)
        return Response(body, media_type="text/html", headers={"content-security-policy": policy})

    async def web(self, request: Request) -> Response:
        """A file of the page."""
        return _web(request.path_params["file"])

    async def get_home(self, _: Request) -> Response:
        """Runs and gallery."""
        return JSONResponse(await asyncio.to_thread(self.home))

    async def get_forms(self, _: Request) -> Response:
        """Settings of a new training; the page will soon choose a picture."""
        return JSONResponse(await asyncio.to_thread(forms), background=BackgroundTask(self.quick.warm))

    async def get_thumb(self, request: Request) -> Response:
        """Thumbnail of the source that a picture field names."""
        asked = request.query_params
        look = asked.get("background", "none"), asked.get("trim", "") == "true"
        return _file(await self.pictures.thumb(asked.get("source", ""), *look))

    async def put_picture(self, request: Request) -> Response:
        """Upload a picture."""
        return JSONResponse(await self.pictures.take(request.query_params.get("name", ""), request.stream()))

    async def get_picture(self, request: Request) -> Response:
        """An uploaded picture."""
        return _file(self.pictures.path(request.path_params["file"]))

    async def put_film(self, request: Request) -> Response:
        """Upload a film."""
        return JSONResponse(await self.films.take(request.query_params.get("name", ""), request.stream()))

    async def survey(self, request: Request) -> Response:
        """Lines on the film that a form names so far; none where it can't be opened, or something else is wrong."""
        asked = await read_json(request)
        try:
            given = await asyncio.to_thread(surveyed, asked)
            return JSONResponse(await self.quick.do("survey", **given) if given else {"lines": []})
        except Refusal:
            return JSONResponse({"lines": []})

    async def start(self, request: Request) -> Response:
        """Begin a training."""
        asked = await read_json(request)
        recipe, config = await asyncio.to_thread(filled, asked)
        name = name_for(recipe, config, asked.get("name"))
        for field, job, given in inputs(recipe, config):
            try:
                await self.quick.do(job, **given)
            except Refusal as e:
                raise Refusal(e.status, e.error, field if e.status == 400 else None) from None
        name = await asyncio.to_thread(self.trainings.start, recipe, config, name)
        return JSONResponse({"name": name}, 201)

    async def get_run(self, request: Request) -> Response:
        """Everything about a run."""
        return JSONResponse(await asyncio.to_thread(self._about, request.path_params["name"]))

    def _about(self, name: str) -> dict[str, Any]:
        folder = self.runs.run(name)
        config = self.runs.settings(folder)
        return {
            **self.runs.card("runs", name),
            "config": config,
            "fields": forms_of(config),
            "files": self.runs.files(name),
        }

    async def put_away(self, request: Request) -> Response:
        """Move a run to the bin."""
        await asyncio.to_thread(self.trainings.put_away, request.path_params["name"])
        return JSONResponse({})

    async def get_metrics(self, request: Request) -> Response:
        """Learning curve of a run."""
        after = request.query_params.get("after", "-1")
        if not re.fullmatch(r"-?\d{1,12}", after):
            raise Refusal(400, "after is the number of an iteration")
        lines = await asyncio.to_thread(self.runs.metrics, request.path_params["name"], int(after))
        return JSONResponse({"lines": lines})

    async def request(self, request: Request) -> Response:
        """Send a request to a training."""
        asked = await read_json(request)
        folder = self.runs.run(request.path_params["name"])
        if not (await asyncio.to_thread(self.runs.status, folder)).busy:
            raise Refusal(409, "nothing trains there now")
        pause, stop, damage = asked.get("pause"), asked.get("stop"), asked.get("damage")
        if asked.keys() - {"pause", "stop", "damage"} or not asked:
            raise Refusal(400, "a request is pause, stop or damage")
        if not (isinstance(pause, bool | None) and isinstance(stop, bool | None) and isinstance(damage, str | None)):
            raise Refusal(400, "pause and stop are true or false, damage is a text")
        if damage is not None:
            damage = damage[:100]
            try:
                Damage.parse(damage)
            except UserError as e:
                raise Refusal(400, str(e), "damage") from None
        await asyncio.to_thread(live.request, folder, pause=pause, stop=stop, damage=damage)
        return JSONResponse({})

    async def resume(self, request: Request) -> Response:
        """Go on with a run."""
        steps = (await read_json(request)).get("steps")
        if isinstance(steps, bool) or not isinstance(steps, int | None):
            raise Refusal(400, "steps is a whole number", "steps")
        await asyncio.to_thread(self.trainings.resume, request.path_params["name"], steps)
        return JSONResponse({})

    async def get_player(self, request: Request) -> Response:
        """A model for the player."""
        path = self.runs.model(request.path_params["kind"], request.path_params["name"], newest=True)

        def made() -> dict[str, Any]:
            from planaria import store
            from planaria.export.html import payload

            return payload(store.read(path))

        return JSONResponse(await asyncio.to_thread(made))

    async def get_file(self, request: Request) -> Response:
        """A file of a run, or a model of the gallery."""
        kind, name, file = (request.path_params[k] for k in ("kind", "name", "file"))
        if kind == "gallery" and file == run_folder.MODEL:
            return _file(self.runs.model(kind, name), download=f"{name}.safetensors")
        if kind != "runs":
            raise Refusal(404, f"no file {file[:80]!r} there")
        kept = file in (run_folder.MODEL, run_folder.PAGE)  # what isn't to be opened inside the studio
        return _file(self.runs.file(name, file), download=f"{name}{Path(file).suffix}" if kept else None)

    async def get_made(self, request: Request) -> Response:
        """A film, a strip or the initial frame, made now where it isn't there yet."""
        kind, name, file = (request.path_params[k] for k in ("kind", "name", "file"))
        if file not in (run_folder.FILM, run_folder.STRIP, "start.png"):
            raise Refusal(404, f"no file {file[:80]!r} there")
        if file == "start.png":
            return _file(await self._begins(kind, name), keep=True)
        model = self.runs.model(kind, name)
        made = self.cache.get("film", _key("film", model), Path(file).suffix, model=str(model))
        return _file(await self._of(model, made), keep=True)

    async def _begins(self, kind: str, name: str) -> Path:
        """Initial frame of a model, which a training doesn't change."""
        model = self.runs.model(kind, name, newest=True)
        settings = RunFolder(model.parent).config
        key = _key("start", settings if settings.is_file() else model)
        return await self._of(model, self.cache.get("start", key, ".png", model=str(model)))

    async def get_export(self, request: Request) -> Response:
        """A model exported to another format, for download."""
        kind, name, file = (request.path_params[k] for k in ("kind", "name", "file"))
        suffix = Path(file).suffix
        if suffix not in EXPORTS or Path(file).stem != name:
            raise Refusal(404, f"no export {file[:80]!r}; have: {', '.join(name + s for s in EXPORTS)}")
        model = self.runs.model(kind, name)
        made = self.cache.get("export", _key("export", model), suffix, model=str(model))
        return _file(await self._of(model, made), download=file)

    async def _of(self, model: Path, made: Awaitable[Path]) -> Path:
        """Make a file from a model; the run may go to the bin before it is made."""
        try:
            return await made
        except Refusal:
            if model.is_file():
                raise
            raise Refusal(404, f"{model.parent.name!r} was moved before it was made") from None

    async def listen_home(self, socket: WebSocket) -> None:
        """Send all cards, whenever one changes."""
        await self.feed.serve(socket, None)

    async def listen_run(self, socket: WebSocket) -> None:
        """Send the progress of one training."""
        name = socket.path_params["name"]
        try:
            self.runs.run(name)
        except Refusal:
            await socket.close(1008)
            return
        await self.feed.serve(socket, name)


def studio(folder: Path) -> Studio:
    """Studio of a folder of runs. Raises `UserError` where its libraries are missing or it is no folder."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; the studio needs a folder of runs")
    return Studio(folder)


def forms_of(config: dict[str, Any]) -> list[dict[str, Any]]:
    """Fields of the task that a run's settings name."""
    return next((task["fields"] for task in forms()["tasks"] if task["name"] == Settings.parse(config).task), [])


def _key(job: str, model: Path) -> str:
    """Name of a file made from a model as it is now."""
    about = model.stat()
    text = f"{__version__} {job} {model.resolve()} {about.st_mtime_ns} {about.st_size}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _web(name: str) -> Response:
    place = files("planaria.web") / name
    if not WEB.fullmatch(name) or not place.is_file():
        raise Refusal(404, f"no file {name[:80]!r}")
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    kind = "text/javascript" if name.endswith(".js") else kind
    return Response(place.read_bytes(), media_type=kind, headers={"cache-control": "no-cache"})


@functools.cache
def _playground() -> tuple[str, str]:
    """The playground's page, and its policy."""
    from planaria.export.html import learning
    from planaria.export.playground import policy

    return learning(None), f"{policy()}; frame-ancestors 'none'"


def _file(path: Path, *, download: str | None = None, keep: bool = False) -> Response:
    """A file as it is; only pictures are shown, all else is text or a download. `FileNotFoundError` if it has gone."""
    kind = {".png": "image/png", ".webp": "image/webp", ".md": "text/plain", ".yaml": "text/plain",
            ".jsonl": "text/plain", ".log": "text/plain"}.get(path.suffix, "application/octet-stream")  # fmt: skip
    headers = {"cache-control": "private, max-age=86400" if keep else "no-cache"}
    return FileResponse(path, media_type=kind, filename=download, headers=headers, stat_result=path.stat())


async def _on_refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return refused(error, close=error.status in (408, 413))


async def _on_mistake(_: Request, error: Exception) -> Response:
    assert isinstance(error, UserError)
    return refused(Refusal(400, str(error), error.field))


async def _on_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refused(Refusal(error.status_code, error.detail.lower()))


async def _on_gone(_: Request, __: Exception) -> Response:
    return refused(Refusal(404, "it was moved away while it was read"))


async def _on_bug(_: Request, error: Exception) -> Response:
    return refused(Refusal(500, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"))
