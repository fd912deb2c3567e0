"""Entry point of `python -m planaria` and of `torchrun -m planaria`."""

import os
import sys

from planaria.cli import main

if __name__ == "__main__":
    code = main()
    if "TORCHELASTIC_RUN_ID" in os.environ:  # all is written: a thread of gloo may abort the end of the interpreter
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
