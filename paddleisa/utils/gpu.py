"""NVIDIA cards: what is there, what this build of Paddle can run on, and what to say when the two do not fit.

Nothing here has been run on a card that Paddle's PyPI build runs on: none was there.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass

from paddleisa.errors import text_of

# Compute capabilities that a build holds machine code for, by (package, CUDA version). Read off the library of the
# newest build on PyPI; it has no PTX, so that newer cards cannot translate it.
KERNELS = {("paddlepaddle-gpu", "11.8"): (6.1, 7.0, 7.5, 8.0, 8.6)}
NO_KERNEL = ("no kernel image is available", "invalid device function", "unsupported gpu architecture")
NEWER = "Install a build for CUDA 12 from Paddle's own index: https://www.paddlepaddle.org.cn/en/install/quick"


@dataclass(frozen=True)
class Card:
    """A graphics card as ``nvidia-smi`` describes it; memory in MiB."""

    name: str
    driver: str
    capability: float
    memory: int


def cards() -> list[Card]:
    """The machine's NVIDIA cards; empty without a driver. Takes a fraction of a second; paddle is not imported."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    fields = "name,driver_version,compute_cap,memory.total"
    command = [program, f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return parse_cards(said)


def parse_cards(text: str) -> list[Card]:
    """Cards from ``nvidia-smi``'s lines of comma-separated values; a line that is something else is passed over."""
    found = []
    for line in text.splitlines():
        parts = [part.strip() for part in line.split(",")]
        try:
            found.append(Card(parts[0], parts[1], float(parts[2]), int(float(parts[3]))))
        except (IndexError, ValueError):
            continue
    return found


def runs_on(capability: float, kernels: tuple[float, ...]) -> bool:
    """Whether machine code for ``kernels`` runs on a card: one of its own major number, no newer than the card."""
    return any(int(code) == int(capability) and code <= capability for code in kernels)


def unfit(card: Card, package: str, cuda: str) -> str | None:
    """Why this build of Paddle cannot compute on ``card``; None where it can or where that is not known."""
    kernels = KERNELS.get((package, cuda))
    if kernels is None or runs_on(card.capability, kernels):
        return None
    held = ", ".join(map(str, kernels))
    return (
        f"{card.name} has compute capability {card.capability}, and {package} for CUDA {cuda} holds machine code for "
        f"{held} only"
    )


def explained(error: BaseException) -> str | None:
    """Our sentence for an error of Paddle's that means "this build has no code for this card"; None for others."""
    text = text_of(error).lower()
    if not any(part in text for part in NO_KERNEL):
        return None
    names = ", ".join(f"{card.name} (compute capability {card.capability})" for card in cards()) or "this card"
    return f"this build of Paddle has no machine code for {names}"
