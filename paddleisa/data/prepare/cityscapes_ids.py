"""Cityscapes' two numberings of classes: 34 label ids in its files, 19 train ids in a network.

The numbers are those of the official ``cityscapesscripts.helpers.labels``, with which a test compares them.
"""

from __future__ import annotations

import numpy as np

NUM_IDS = 34  # ids 0 to 33; the license plate's -1 is never drawn
# The label id of each train id 0..18. All other ids are ignored (255) in training and in the official evaluation.
ID_OF_TRAIN_ID = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
IGNORED = 255


def _train_ids() -> np.ndarray:
    table = np.full(256, IGNORED, np.uint8)
    table[list(ID_OF_TRAIN_ID)] = np.arange(len(ID_OF_TRAIN_ID), dtype=np.uint8)
    return table


def _label_ids() -> np.ndarray:
    table = np.zeros(256, np.uint8)  # what is no class becomes "unlabeled"
    table[: len(ID_OF_TRAIN_ID)] = ID_OF_TRAIN_ID
    return table


TO_TRAIN_ID, TO_LABEL_ID = _train_ids(), _label_ids()  # look-up tables: TO_TRAIN_ID[labelIds] is labelTrainIds
