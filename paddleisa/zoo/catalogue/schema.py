"""What a catalogue may hold, as pydantic models: everything is checked before anything is used.

``pretrained/README.md`` explains the keys to people who write a catalogue of their own.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from paddleisa.errors import one_of
from paddleisa.inference.protocols import protocol_names, protocol_of


def _http(url: str) -> str:
    if not url.startswith(("https://", "http://")) or any(c.isspace() for c in url) or not url.split("://", 1)[1]:
        raise ValueError("is not an http or https address")
    return url


Url = Annotated[str, AfterValidator(_http)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=120)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Score = Annotated[float, Field(ge=0, le=100)]
ConfigName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.][A-Za-z0-9_./+-]*$")]
Positive = Annotated[int, Field(gt=0)]
Size = tuple[Positive, Positive]
_BESIDE = r"^([A-Za-z0-9_][A-Za-z0-9._+-]*/)*[A-Za-z0-9_][A-Za-z0-9._+-]*$"  # a path that stays in its folder


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, protected_namespaces=())


class WeightsFile(_Part):
    """A file of weights on a server (``url``) or beside the catalogue (``file``), and what is known of it.

    ``sha256`` and ``size`` (bytes) describe the whole file; ``sha256_prefix`` is the beginning of its hash where a
    publisher gives no more. Each of the three must come with ``origin``, a sentence that says who found it out.
    """

    url: Url | None = None
    file: Annotated[str, Field(pattern=_BESIDE)] | None = None
    format: Literal["pdparams", "safetensors", "pth"] = "pdparams"
    sha256: Sha256 | None = None
    sha256_prefix: Annotated[str, Field(pattern=r"^[0-9a-f]{6,63}$")] | None = None
    size: Positive | None = None
    origin: Annotated[str, Field(min_length=10)] | None = None

    @property
    def source(self) -> str:
        """Where the file comes from."""
        return self.url or self.file or ""  # one of the two is there, see below

    @model_validator(mode="after")
    def _in_one_place(self) -> WeightsFile:
        if (self.url is None) == (self.file is None):
            raise ValueError("weights need either 'url' or 'file', a path relative to the catalogue")
        return self

    @model_validator(mode="after")
    def _known_from_somewhere(self) -> WeightsFile:
        if self.origin is None and (self.sha256 or self.sha256_prefix or self.size):
            raise ValueError("a hash or size needs 'origin', a sentence that says where it comes from")
        if self.sha256 and self.sha256_prefix and not self.sha256.startswith(self.sha256_prefix):
            raise ValueError("sha256 does not begin with sha256_prefix")
        return self


class State(_Part):
    """The tensors of a weights file: a manifest beside the catalogue, its number of lines and its sha256."""

    manifest: Annotated[str, Field(pattern=_BESIDE)]
    tensors: Positive
    sha256: Sha256
    origin: Annotated[str, Field(min_length=10)]


class Scores(_Part):
    """mIoU in per cent as published. ``ms_flip`` is multi-scale and flip: one number, or one for each protocol of
    :mod:`paddleisa.inference.protocols`, the first of which measured ``single`` and ``flip`` too. The keys
    ``ms_flip_PROTOCOL`` mean the same.
    """

    single: Score
    flip: Score | None = None
    ms_flip: Score | dict[str, Score] | None = None

    @model_validator(mode="before")
    @classmethod
    def _by_protocol(cls, given: dict[str, object]) -> dict[str, object]:
        prefix = "ms_flip_"
        split = {key.removeprefix(prefix): value for key, value in given.items() if key.startswith(prefix)}
        rest = {key: value for key, value in given.items() if not key.startswith(prefix)}
        if split and "ms_flip" in rest:
            raise ValueError("give ms_flip, or ms_flip_PROTOCOL, not both")
        found = split or rest.get("ms_flip")
        if isinstance(found, dict):
            unknown = next((name for name in found if name not in protocol_names()), None)
            if unknown is not None:
                raise ValueError(f"there is no protocol {unknown!r}; {one_of(unknown, protocol_names())}")
            rest["ms_flip"] = {protocol_of(name).name: score for name, score in found.items()}
        return rest

    @property
    def ms_flip_by_protocol(self) -> dict[str, float]:
        """{protocol: ms_flip}; empty where there is one number or none."""
        return self.ms_flip if isinstance(self.ms_flip, dict) else {}

    @property
    def ms_flip_alone(self) -> float | None:
        """The one number, None where there is none or one for each protocol."""
        return None if isinstance(self.ms_flip, dict) else self.ms_flip


class Preprocessing(_Part):
    """Normalisation of 0..255 values: channel order, mean and standard deviation."""

    color: Literal["RGB", "BGR"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class Evaluation(_Part):
    """How the scores were measured. Sizes are (width, height); ``image_size`` bounds a resize that keeps the ratio."""

    mode: Literal["whole", "slide"] = "whole"
    crop_size: Size | None = None
    stride: Size | None = None
    align_corners: bool = False
    image_size: Size | None = None
    ms_ratios: tuple[float, ...] | None = None
    protocol: str = "mmseg"

    @model_validator(mode="after")
    def _slide_is_complete(self) -> Evaluation:
        if (self.mode == "slide") != (self.crop_size is not None and self.stride is not None):
            raise ValueError("crop_size and stride belong to mode slide, and it needs both")
        return self


class Row(_Part):
    """One published model. ``config`` is the name of a shipped config, or a file (``.yml``) relative to the catalogue.

    ``crop_size`` is that of training, (width, height); ``parameters`` counts as
    ``Layer.parameters()`` does, batch-norm statistics included; ``total_batch`` is over all devices.
    """

    config: ConfigName
    backbone: str
    dataset: str
    crop_size: Size
    iterations: Positive
    total_batch: Positive
    num_classes: Positive
    parameters: Positive | None = None
    scores: Scores
    weights: WeightsFile
    log: Url | None = None
    visualdl: Url | None = None
    state: State | None = None
    preprocessing: Preprocessing | None = None
    evaluation: Evaluation | None = None
    training_memory_gb: Annotated[float, Field(gt=0)] | None = None


class CatalogueFile(_Part):
    """A catalogue file. ``defaults`` holds keys of a row that every row shares; a row's own keys win."""

    version: Literal[1]
    family: Name
    about: str
    source: Url | None = None
    scores_origin: Annotated[str, Field(min_length=10)]
    models: Annotated[dict[Name, Row], Field(min_length=1)]
