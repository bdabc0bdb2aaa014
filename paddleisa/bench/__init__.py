"""``paddleisa bench``: what attention, whole models, reading and training cost on the machine at hand.

One mechanism for all four, ``isa.py``, ``model.py``, ``data.py`` and ``train.py``. Each measurement is a function
``f(**params) -> dict`` that a child process runs (``measuring.py``), so that memory is its own, and one that dies takes
nothing along. The rows come together in a ``Report`` (``report.py``), which is printed, written as JSON and drawn
(``plots.py``).
"""
