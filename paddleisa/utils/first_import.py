"""Importing this module imports paddle as `environment.load_paddle` does, with the settings that its CPU build needs.

Every module that imports paddle at its top begins with it, or the ``__init__`` of its folder where all of them do:
whatever a user imports first, paddle finds its settings. ``import paddleisa`` alone does not come here.
"""

from paddleisa.utils.environment import load_paddle

load_paddle()
