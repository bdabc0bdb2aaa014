"""Where interlaced attention looks from one pixel: the paper's idea as a picture, of the network's own tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from paddleisa.errors import UsageError
from paddleisa.models.heads.isa_head import ISAHead
from paddleisa.models.windows import WindowGrid

if TYPE_CHECKING:
    from paddle import nn


@dataclass(frozen=True)
class AttentionMap:
    """The weights of one position of the feature map, in both steps.

    Attributes:
        position: (row, column) on the feature map.
        long_range: (h, w) float32, the weights of the positions at the same place of all windows; 0 elsewhere.
        short_range: (h, w) float32, the weights of the positions of the same window; 0 elsewhere.
        on_padding: (long range, short range) shares of the weights that fall on the zeros around the map, which take
            part in the softmax; with them each step's weights add up to 1.
        window: (Ph, Pw) in positions.
    """

    position: tuple[int, int]
    long_range: np.ndarray
    short_range: np.ndarray
    on_padding: tuple[float, float]
    window: tuple[int, int]


class AttentionMaps:
    """The attention of a network for one image, for any of its pixels.

    Args:
        model: an ISANet whose head is ``ISAHead``; it is run once, in evaluation mode, in dygraph.
        image: (1, 3, H, W) float32 paddle tensor, prepared as the network's input.

    Raises:
        UsageError: the model has no interlaced attention.
    """

    def __init__(self, model: nn.Layer, image):
        import paddle

        head = getattr(model, "head", None)
        if not isinstance(head, ISAHead):
            raise UsageError("this model has no interlaced attention to look at", where=type(head).__name__)
        seen: dict[str, np.ndarray] = {}

        def keep(name: str):
            return lambda layer, inputs, output: seen.__setitem__(name, output.numpy())

        steps = {"long": head.global_relation, "short": head.local_relation}
        hooks = [
            getattr(step, f"{kind}_project").register_forward_post_hook(keep(f"{name} {kind}"))
            for name, step in steps.items()
            for kind in ("query", "key")
        ]
        hooks.append(head.in_conv.register_forward_post_hook(keep("map")))
        try:
            for step in steps.values():
                step.by_products = False  # so that the projections are called, and are heard
            model.eval()
            with paddle.no_grad():
                model.scores(image)
        finally:
            for hook in hooks:
                hook.remove()
            for step in steps.values():
                step.by_products = True
        (rows, columns), (ph, pw) = seen["map"].shape[2:], head.down_factor
        self.size, self.window = (rows, columns), (ph, pw)
        self.input_size = tuple(image.shape[2:])
        # (P, Q) numbers of the map's positions, counted from 1; 0 is the padding. Cut by the network's own grid.
        numbers = np.arange(1, 1 + self.size[0] * self.size[1], dtype=np.float32).reshape(1, 1, *self.size)
        grid = WindowGrid(list(self.size), self.window)
        self._numbers = grid.partition(paddle.to_tensor(numbers)).numpy()[0, 0].round().astype(np.int64)
        self._seen = {name: value[0] for name, value in seen.items() if name != "map"}  # (C, P, Q)

    def at(self, x: float, y: float) -> AttentionMap:
        """The weights from the position that holds a pixel of the prepared image.

        Args:
            x, y: of the pixel, from the left and the top, in pixels of the network's input.
        """
        row = min(max(int(y * self.size[0] / self.input_size[0]), 0), self.size[0] - 1)
        column = min(max(int(x * self.size[1] / self.input_size[1]), 0), self.size[1] - 1)
        place, window = (int(i[0]) for i in np.nonzero(self._numbers == 1 + row * self.size[1] + column))
        long = _weights(self._seen["long query"][:, place, window], self._seen["long key"][:, place, :])
        short = _weights(self._seen["short query"][:, place, window], self._seen["short key"][:, :, window])
        (long_map, long_padding), (short_map, short_padding) = (
            self._on_map(long, self._numbers[place, :]),
            self._on_map(short, self._numbers[:, window]),
        )
        return AttentionMap((row, column), long_map, short_map, (long_padding, short_padding), self.window)

    def _on_map(self, weights: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, float]:
        flat = np.zeros(1 + self.size[0] * self.size[1], np.float32)
        np.add.at(flat, numbers, weights)
        return flat[1:].reshape(self.size), float(flat[0])


def _weights(query: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """softmax(query . key / sqrt(channels)): (C,), (C, L) -> (L,)."""
    similarity = (query @ keys) / np.sqrt(len(query))
    weights = np.exp(similarity - similarity.max())
    return weights / weights.sum()
