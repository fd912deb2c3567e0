"""`planaria playground`: one page that trains in the browser."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from planaria.console import file_size, printer
from planaria.errors import UserError
from planaria.files import unwritable


def playground(output: Annotated[Path, Parameter(alias="-o")] = Path("playground.html")) -> int:
    """Write the playground: one page that trains a creature in any browser, offline.

    Choose or draw a picture there, watch it learn, damage it, and save it as a model that planaria opens.
    `planaria export MODEL page.html --learn` writes one that begins with a model.

    Parameters
    ----------
    output
        The page.
    """
    if output.suffix.lower() != ".html":
        raise UserError(f"the playground is a page: name it {output.stem or 'playground'}.html, not {output}")
    if why := unwritable(output):
        raise UserError(f"{output} {why}")
    from planaria.export.html import learning
    from planaria.store import write_bytes

    page = learning(None).encode()
    write_bytes(output, page)
    printer().print(f"{output}: {file_size(len(page))}", markup=False, highlight=False, soft_wrap=True)
    return 0
