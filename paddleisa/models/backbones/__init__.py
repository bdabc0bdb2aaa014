"""Backbones: networks that give feature maps."""
