"""Numbers that several kinds of components take. Their upper bounds are beyond every use, and low enough to compute."""

from typing import Annotated

from pydantic import Field

LayerSize = Annotated[int, Field(gt=0, le=8192)]  # channels, classes, windows and dilations of a layer
Count = Annotated[int, Field(gt=0, le=10**9)]  # iterations, epochs, images
