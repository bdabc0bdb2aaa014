"""The board's process: VisualDL's server, which ends when the process that started it is gone.

Run as a file by :mod:`paddleisa.training.logging.board`, with VisualDL's own options; standard input is a pipe whose
other end the starter holds. A training killed with SIGKILL cannot end its server, but the system closes its end of
the pipe.
"""

from __future__ import annotations

import os
import sys
import threading


def end_with_starter() -> None:
    """Wait for the end of standard input, then end the process at once, whatever the server is doing."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    sys.path.pop(0)  # this folder: its modules must not take the place of installed ones
    threading.Thread(target=end_with_starter, daemon=True).start()
    from visualdl.server.app import main

    main()
