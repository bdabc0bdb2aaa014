"""By how much reading each file of a folder raises the peak memory of a process that does nothing else.

``ru_maxrss`` would begin with the parent's peak; writing 5 to clear_refs starts the peak VmHWM anew.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def growth_of(reader: str, folder: Path) -> tuple[dict[str, int], set[str]]:
    """(bytes by file, files that ``reader``, a ``module:function``, took without a WeightsError)."""
    done = subprocess.run([sys.executable, __file__, reader, folder], capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return found["growth"], set(found["accepted"])


def main(reader: str, folder: str) -> None:
    """Print the two as JSON."""
    sys.path.insert(0, str(REPOSITORY))
    import safetensors  # noqa: F401  (its import is not the file's)

    from paddleisa.errors import WeightsError

    module, _, name = reader.partition(":")
    read = getattr(importlib.import_module(module), name)
    growth, accepted = {}, []
    for path in sorted(Path(folder).iterdir()):
        Path("/proc/self/clear_refs").write_text("5")
        before = memory("VmRSS")
        try:
            read(path)
            accepted.append(path.name)
        except WeightsError:
            pass
        growth[path.name] = memory("VmHWM") - before
    print(json.dumps({"growth": growth, "accepted": accepted}))


def memory(field: str) -> int:
    """A field of /proc/self/status in bytes."""
    return int(Path("/proc/self/status").read_text().split(field + ":")[1].split()[0]) * 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
