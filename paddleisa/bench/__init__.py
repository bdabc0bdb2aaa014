"""``paddleisa bench``: what attention, whole models, reading and training cost on the machine at hand.

One mechanism for all four. Each measurement is a function ``f(**params) -> dict`` that a child process runs
(``process.py``, ``child.py``), so that memory is its own, and one that dies takes nothing along. Inside it
``timing.py`` and ``memory.py`` measure. The rows come together in a ``Report`` (``report.py``), which is printed,
written as JSON and drawn (``plot_*.py``).

=============  =====================================================  ==============================
bench          what is compared                                       where
=============  =====================================================  ==============================
``isa``        interlaced with dense self-attention, by map size      ``isa.py``, ``blocks.py``
``model``      engines and precisions                                 ``model.py``
``data``       numbers of reading threads, and the transforms         ``data.py``
``train``      precisions, and the parts of a training step           ``train.py``
=============  =====================================================  ==============================

FLOPs are those of convolutions and matrix products, a multiplication and an addition counted as two (``flops.py``).
"""
