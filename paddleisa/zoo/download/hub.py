"""Weights by the name that timm gives them, from the Hugging Face hub by the hub's own library."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path

from paddleisa.errors import DownloadError
from paddleisa.utils.environment import home, variable
from paddleisa.zoo.download.server import offline

HUB = "hf-hub:"  # as in timm's create_model
FILES = ("model.safetensors", "pytorch_model.bin")


def hub_file(source: str) -> Path:
    """The weights file of a repository on the hub, in ``PADDLEISA_HOME/hub``, downloaded unless it is there.

    No hash is known beforehand; the file is read as any other, so that nothing in it is run.

    Args:
        source: ``hf-hub:timm/resnet50d.ra2_in1k``.

    Raises:
        DownloadError: the library is not installed, there is no such repository or no weights in it, or the hub is out
            of reach.
    """
    silent, endpoint = offline(), os.environ.get("HF_ENDPOINT")  # the library's variable, as it is now
    try:
        with variable("HF_HUB_OFFLINE", "1") if silent else nullcontext():  # read when the library is imported
            from huggingface_hub import hf_hub_download
            from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError, RepositoryNotFoundError
    except ModuleNotFoundError as error:
        problem = "is a name on the Hugging Face hub, whose library is not installed"
        raise DownloadError(problem, where=source, fix="Run pip install huggingface_hub") from error
    repository = source.removeprefix(HUB)
    for file in FILES:
        try:
            return Path(
                hf_hub_download(repository, file, cache_dir=home() / "hub", endpoint=endpoint, local_files_only=silent)
            )
        except RepositoryNotFoundError as error:
            raise DownloadError("there is no such repository on the hub", where=source, fix="Check the name") from error
        except LocalEntryNotFoundError as error:
            problem = "is not on this machine, and no request is made" if silent else "the hub cannot be reached"
            raise DownloadError(problem, where=source, fix="Download it, and give the file's path") from error
        except EntryNotFoundError:
            continue  # of this kind of file
        except (OSError, ValueError) as error:
            line = str(error).strip().partition("\n")[0]
            raise DownloadError(f"cannot be downloaded: {line}", where=source, fix="Check the name") from error
    raise DownloadError(f"the repository holds none of {', '.join(FILES)}", where=source, fix="Choose another")
