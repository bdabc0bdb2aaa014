"""``python -m paddleisa`` is the console script ``paddleisa``."""

import sys

from paddleisa.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
