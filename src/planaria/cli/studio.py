"""`planaria studio`: the page in the browser."""

from pathlib import Path

from planaria.console import printer
from planaria.errors import missing_extra


def studio(runs: Path = Path("runs"), *, port: int = 8770, host: str = "127.0.0.1", browser: bool = True) -> int:
    """Open the studio in the browser: every run and model, live training, start a new one.

    Parameters
    ----------
    runs
        Folder of all runs.
    port
        Port to listen on; the next free one if it is taken.
    host
        Loopback address of this machine to listen on.
    browser
        Open the page.
    """
    try:
        from planaria.view.studio import app, wire
    except ImportError as e:
        if (e.name or "").partition(".")[0] not in ("starlette", "uvicorn", "websockets", "h11"):
            raise
        raise missing_extra("the studio", "studio") from None
    import threading
    import webbrowser

    console = printer()
    inside = app.studio(runs).app()
    listening = wire.listen(host, port)
    found = listening.getsockname()[1]
    address = f"http://{'[::1]' if host == '::1' else host}:{found}"
    if port and found != port:
        console.print(f"port {port} is taken", style="dim")

    def ready() -> None:
        console.print(f"the studio is at [link={address}]{address}[/link]; Ctrl-C closes it, trainings go on")
        if browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    try:
        wire.run(inside, listening, ready)
    except KeyboardInterrupt:
        console.print("the studio is closed")
    finally:
        listening.close()
    return 0
