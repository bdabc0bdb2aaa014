"""Where the vectors of the original lie, and what they are about."""

from pathlib import Path

REFERENCE = Path(__file__).parent / "reference"

ROWS = (
    "isanet_resnet50_os8_cityscapes_769x769_80k",
    "isanet_resnet101_os8_cityscapes_769x769_80k",
    "isanet_resnet50_os8_voc12aug_512x512_40k",
    "isanet_resnet101_os8_voc12aug_512x512_40k",
)
