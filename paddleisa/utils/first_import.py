"""Importing this module imports paddle as `environment.load_paddle` does, with the settings that its CPU build needs.

The ``__init__`` of every folder whose modules import paddle begins with it: whatever a user imports first, paddle finds
its settings. ``import paddleisa`` alone does not come here and changes nothing in the process.
"""

from paddleisa.utils.environment import load_paddle

load_paddle()
