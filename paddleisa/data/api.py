"""`paddleisa prepare` as functions: one that makes public data ready, one that checks a config's data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from paddleisa.config import Config, read_config
from paddleisa.data.check.check import DataCheck, check_config


def prepare(kind: str, root: str | Path, **options: Any) -> object:
    """Make a data set ready in ``root``, as `paddleisa prepare` does.

    Args:
        kind: ``Cityscapes`` or ``cityscapes``, ``PascalVOC`` or ``voc``, or another class whose labels are converted
            (``CocoStuff``, ``PascalContext``, ...); ``own`` for images and annotations of yours.
        root: its ``dataset_root``, with the official archives or folders in it; of ``own``, your folder.
        options: of :func:`paddleisa.data.prepare.cityscapes.prepare_cityscapes`,
            :func:`paddleisa.data.prepare.voc.prepare_voc`,
            :func:`paddleisa.data.prepare.by_table.prepare_by_table` or
            :func:`paddleisa.data.prepare.own.own.prepare_own`: ``overwrite``, ``workers``, ``progress``, ...

    Returns:
        What those return: how many labels were made and how many were there; of ``own``, the files that were written.

    Raises:
        DataError, UsageError, DownloadError: what is missing or wrong, with the fix.
    """
    from paddleisa.data.prepare.by_table import prepare_by_table
    from paddleisa.data.prepare.cityscapes import prepare_cityscapes
    from paddleisa.data.prepare.own.own import prepare_own
    from paddleisa.data.prepare.voc import prepare_voc

    known: dict[str, Callable[..., object]] = {"own": prepare_own}
    known |= dict.fromkeys(("Cityscapes", "cityscapes"), prepare_cityscapes)
    known |= dict.fromkeys(("PascalVOC", "voc"), prepare_voc)
    return known[kind](root, **options) if kind in known else prepare_by_table(root, kind, **options)


def check(
    config: Config | str | Path, *, opts: Iterable[str] = (), plugins: Iterable[str | Path] = (), **options: Any
) -> DataCheck:
    """Look for what is wrong with a config's data, as `paddleisa prepare check` does.

    Args:
        config: a config, its file, or a shipped name.
        opts, plugins: changes of it, and files that register components.
        options: of :func:`paddleisa.data.check.check.check_config`: ``quick``, ``workers``, ``cache``, ``progress``.

    Returns:
        The findings, errors first, each with its file and the fix.

    Raises:
        ConfigError: the config has no data set, or is wrong.
    """
    config = config if isinstance(config, Config) else read_config(config, opts=opts, plugins=plugins)
    return check_config(config, **options)
