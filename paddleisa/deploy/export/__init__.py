"""From a model to files for other runtimes, compared with the model before they are kept."""

import paddleisa.utils.first_import  # noqa: F401, before anything imports paddle
