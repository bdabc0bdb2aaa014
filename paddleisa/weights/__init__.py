"""Weights: reading them without running them, putting them into a model whole, writing and checking them."""

from paddleisa.weights.archive import read_archive
from paddleisa.weights.extract import extract_archive
from paddleisa.weights.load import load_backbone, load_weights
from paddleisa.weights.report import Difference, LoadReport, Mismatch, UnfitWeightsError, verify_state
from paddleisa.weights.state_files import read_weights, save_weights

__all__ = [
    "Difference",
    "LoadReport",
    "Mismatch",
    "UnfitWeightsError",
    "extract_archive",
    "load_backbone",
    "load_weights",
    "read_archive",
    "read_weights",
    "save_weights",
    "verify_state",
]
