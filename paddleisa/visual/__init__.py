"""Palettes and overlays: class ids made visible."""

from paddleisa.visual.overlay import colorize, contact_sheet, legend, overlay
from paddleisa.visual.palette import generic_palette

__all__ = ["colorize", "contact_sheet", "generic_palette", "legend", "overlay"]
