"""A street drawn from scratch: camera, sky, ground and walls of the scenes that ``Scenes`` serves.

One-point perspective, in metres: a pixel right of and below the vanishing point looks at X to the right, Y up, Z
ahead. The camera stands on the road, the street runs along Z, and along it stand two walls of houses and trees. Every
pixel's label is that of the surface that its colour was computed for, so labels are exact.

Only ``Generator.random`` and ``integers`` are drawn, whose streams numpy keeps, and all shapes are computed here
rather than by a drawing library: the same seed gives the same labels anywhere, and colours up to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paddleisa.visual.palette import from_hex

ROAD, SIDEWALK, BUILDING, POLE, VEGETATION, SKY, PERSON, CAR, IGNORED = 0, 1, 2, 3, 4, 5, 6, 7, 255
EYE = 1.6  # height of the camera, metres
FAR = 90.0  # the walls end here

_FACADES = from_hex("b0a494 966858 c6baa0 808086 705c50 bc9470 96a0aa").astype(np.float32)


@dataclass
class Scene:
    """What is being drawn, and where the light comes from.

    Attributes:
        img: (H, W, 3) float32 RGB, 0..255.
        label: (H, W) uint8.
        rng: source of everything random in this scene.
        focal: pixels per metre at one metre's distance.
        vanish: (x, y) of the vanishing point, pixels.
        haze: colour that distance fades to.
        visibility: metres over which it fades by a factor e.
        light: brightness of the sides, left and right, of the street.
    """

    img: np.ndarray
    label: np.ndarray
    rng: np.random.Generator
    focal: float
    vanish: tuple[float, float]
    haze: np.ndarray
    visibility: float
    light: tuple[float, float]

    def paint(self, where: tuple, mask: np.ndarray, colour: np.ndarray, class_id: int, distance: object) -> None:
        """Colour the pixels ``mask`` of the window ``where`` through the haze of ``distance`` metres, and label them.

        ``colour`` and ``distance`` broadcast against (h, w, 3) and (h, w, 1).
        """
        clear = np.exp(np.asarray(distance, np.float32) / np.float32(-self.visibility))
        seen = (np.asarray(colour, np.float32) - self.haze) * clear
        seen += self.haze
        np.copyto(self.img[where], seen, where=mask[..., None])
        np.copyto(self.label[where], np.uint8(class_id), where=mask)


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number between ``low`` and ``high``."""
    return low + (high - low) * float(rng.random())


def noise(rng: np.random.Generator, height: int, width: int, cell: float) -> np.ndarray:
    """(height, width) float32 smooth noise in 0..1 with blobs of ``cell`` pixels: an interpolated random grid."""
    y, x = np.arange(height, dtype=np.float32) / cell, np.arange(width, dtype=np.float32) / cell
    row, column = y.astype(np.int64), x.astype(np.int64)
    grid = rng.random((int(row[-1]) + 2, int(column[-1]) + 2)).astype(np.float32)
    ty, tx = (y - row)[:, None], x - column
    rows = grid[row] * (1 - ty) + grid[row + 1] * ty
    return rows[:, column] * (1 - tx) + rows[:, column + 1] * tx


def choose(where: np.ndarray, yes: float, no: float) -> np.ndarray:
    """(..., 1) float32: ``yes`` where the mask holds, ``no`` elsewhere."""
    return np.where(where, np.float32(yes), np.float32(no))[..., None]


def new_scene(rng: np.random.Generator, height: int, width: int) -> Scene:
    """An empty scene: a random camera and light, and the sky."""
    hazy = float(rng.random())
    light = uniform(rng, 0.6, 1.1)
    side = uniform(rng, 0.65, 1.0)
    horizon = np.array([214, 218, 222], np.float32) * (0.75 + 0.25 * light) + np.array([20, 4, -16]) * float(
        rng.random()
    )
    scene = Scene(
        img=np.empty((height, width, 3), np.float32),
        label=np.full((height, width), SKY, np.uint8),
        rng=rng,
        focal=width * uniform(rng, 0.5, 0.75),
        vanish=(width * uniform(rng, 0.36, 0.64), height * uniform(rng, 0.4, 0.54)),
        haze=horizon.astype(np.float32),
        visibility=40 + 300 * (1 - hazy) ** 2,
        light=(light, light * side) if rng.random() < 0.5 else (light * side, light),
    )
    blue = np.array([92, 138, 200], np.float32) * light
    cloudy = float(rng.random())
    up = np.clip(1 - np.arange(height, dtype=np.float32) / scene.vanish[1], 0, 1)[:, None, None]
    clouds = noise(rng, height, width, width / 7) * 0.65 + noise(rng, height, width, width / 22) * 0.35
    cover = np.clip((clouds - 0.75 + 0.6 * cloudy) * 4, 0, 1)[..., None]
    sky = scene.haze + (blue - scene.haze) * np.sqrt(up) * (1 - hazy * 0.6)
    scene.img[:] = sky + (scene.haze * (0.88 + 0.14 * clouds[..., None]) - sky) * cover
    return scene


def skyline(scene: Scene) -> None:
    """What closes the street far away: rows of houses and trees, faded by the haze."""
    height, width = scene.label.shape
    blocks = np.arange(width) // max(1, int(width * uniform(scene.rng, 0.03, 0.09)))
    tall = scene.rng.random(int(blocks[-1]) + 1)[blocks] * height * 0.09 + height * 0.02
    green = scene.rng.random(int(blocks[-1]) + 1)[blocks] < 0.4
    bumps = noise(scene.rng, 1, width, 3)[0] * height * 0.03
    y = np.arange(height, dtype=np.float32)[:, None]
    mask = (y > scene.vanish[1] - tall - np.where(green, bumps, 0)) & (y <= scene.vanish[1] + 1)
    light = sum(scene.light) / 2
    for class_id, part, colour in ((VEGETATION, green, [70, 88, 58]), (BUILDING, ~green, [128, 120, 116])):
        scene.paint(np.s_[:, :], mask & part, np.array(colour, np.float32) * light, class_id, 110.0)


@dataclass(frozen=True)
class Street:
    """Widths in metres, each (left, right) of the camera: the edges of the road and the two walls."""

    road: tuple[float, float]
    wall: tuple[float, float]


def new_street(rng: np.random.Generator) -> Street:
    """A road of two to four lanes, with the camera in a lane right of its middle, and sidewalks of 2 to 5 metres."""
    right = uniform(rng, 1.8, 5.5)
    left = right + uniform(rng, 1.0, 5.0)
    return Street((left, right), (left + uniform(rng, 2, 5), right + uniform(rng, 2, 5)))


def ground(scene: Scene, street: Street) -> None:
    """Everything below the horizon: grass, sidewalks with slabs and kerbs, the road with its markings and shadows."""
    rng, (height, width), (vx, vy) = scene.rng, scene.label.shape, scene.vanish
    top = int(vy) + 1
    below = np.s_[top:, :]
    z = (scene.focal * EYE / (np.arange(top, height, dtype=np.float32) + 0.5 - vy))[:, None]
    x = (np.arange(width, dtype=np.float32) + 0.5 - vx) * z / scene.focal
    grain = 1 + (noise(rng, height - top, width, 2.5) - 0.5)[..., None] * uniform(rng, 0.1, 0.3)
    light = choose(x < 0, *scene.light) * choose(_shaded(scene, street, x, z), 0.62, 1.0) * grain
    every = np.ones_like(x, bool)
    far = z[..., None]
    scene.paint(below, every, np.array([86, 108, 58], np.float32) * light, VEGETATION, far)

    slab = choose((x % 1.2 < 0.06) | (z % 1.2 < 0.008 * z), 0.88, 1.0)
    stone = np.array([158, 150, 142], np.float32) * uniform(rng, 0.75, 1.1) + np.array([10, 0, -10]) * float(
        rng.random()
    )
    on_walk = (x > -street.wall[0]) & (x < street.wall[1])
    scene.paint(below, on_walk, stone * slab * light, SIDEWALK, far)

    asphalt = np.full(3, uniform(rng, 72, 118), np.float32) + np.array([3, 0, 5], np.float32)
    kerb = choose((x < 0.15 - street.road[0]) | (x > street.road[1] - 0.15), 1.35, 1.0)
    colour = asphalt * kerb * light
    middle = (street.road[1] - street.road[0]) / 2
    dash = (np.abs(x - middle) < 0.09) & ((z + uniform(rng, 0, 6)) % 6 < 3)
    edge = (np.abs(x - street.road[1] + 0.4) < 0.06) | (np.abs(x + street.road[0] - 0.4) < 0.06)
    paint = dash | edge if rng.random() < 0.7 else dash
    if rng.random() < 0.3:  # a zebra crossing
        near = uniform(rng, 6, 20)
        paint = paint | ((z > near) & (z < near + 3) & (x % 1.0 < 0.5))
    colour = np.where(paint[..., None], np.array([205, 205, 198], np.float32) * light, colour)
    on_road = (x > -street.road[0]) & (x < street.road[1])
    scene.paint(below, on_road, colour, ROAD, far)


def _shaded(scene: Scene, street: Street, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Ground in the shadow of the darker wall, whose edge has steps like the roofs along it."""
    reach = uniform(scene.rng, 0, 1) * (street.wall[0] + street.wall[1])
    steps = scene.rng.random(16)[np.clip(z / 9, 0, 15).astype(np.int64)] * 3
    if scene.light[0] < scene.light[1]:
        return x < reach - street.wall[0] - steps
    return x > street.wall[1] - reach + steps


def wall(scene: Scene, street: Street, side: int) -> None:
    """The houses, trees and gaps along one side.

    Args:
        side: 0 for left, 1 for right.
    """
    rng, (height, width), (vx, vy) = scene.rng, scene.label.shape, scene.vanish
    columns = slice(0, int(vx)) if side == 0 else slice(int(vx) + 1, width)
    x = np.arange(width, dtype=np.float32)[columns] + 0.5
    z = scene.focal * street.wall[side] / np.abs(x - vx)
    y = (vy - np.arange(height, dtype=np.float32)[:, None] - 0.5) * z / scene.focal + EYE
    ends = np.cumsum(6 + 12 * rng.random(16))
    segment = np.searchsorted(ends, z)
    kind = rng.random(17)[segment]  # below 0.62 a house, below 0.85 trees, above it a gap
    tall = (5 + 13 * rng.random(17) ** 1.5).astype(np.float32)[segment]
    visible = (y >= 0) & (z < FAR)
    where = np.s_[:, columns]
    light = scene.light[side]

    leaves = noise(rng, height, len(x), 4)
    green = np.array([66, 96, 44], np.float32) * uniform(rng, 0.7, 1.2)
    trees = visible & (y < tall * 0.55 * (0.75 + 0.5 * leaves)) & (kind >= 0.62) & (kind < 0.85)
    scene.paint(where, trees, green * ((0.55 + 0.8 * leaves) * light)[..., None], VEGETATION, z[:, None])

    houses = visible & (y < tall) & (kind < 0.62)
    colour = _facade(rng, segment, tall, y, z) * light
    scene.paint(where, houses, colour * (0.93 + 0.14 * leaves[..., None]), BUILDING, z[:, None])


def _facade(
    rng: np.random.Generator, segment: np.ndarray, tall: np.ndarray, y: np.ndarray, z: np.ndarray
) -> np.ndarray:
    """(H, columns, 3) colours of house fronts: storeys of windows over a ground floor of shops, under a cornice."""
    plaster = _FACADES[rng.integers(len(_FACADES), size=17)] * (0.75 + 0.45 * rng.random((17, 1)).astype(np.float32))
    glass = np.array([52, 60, 72], np.float32) + 60 * rng.random((17, 1)).astype(np.float32)
    pitch = (1.6 + 1.8 * rng.random(17))[segment].astype(np.float32)
    storey, bay = (y - 3.6) / 3.1, z / pitch
    window = (storey % 1 > 0.22) & (storey % 1 < 0.78) & (bay % 1 > 0.25) & (bay % 1 < 0.75)
    window &= (y > 3.6) & (y < tall - 0.7)
    lit = (rng.random(64).astype(np.float32) * 1.1 + 0.5)[
        (storey.astype(np.int64) * 7 + bay.astype(np.int64) * 13) % 64
    ]
    shop = (y > 0.5) & (y < 2.9) & (bay % 2 > 0.2) & (rng.random(17)[segment] < 0.6)
    awning = (y >= 2.9) & (y < 3.5) & (rng.random(17)[segment] < 0.5)
    sign = (60 + 170 * rng.random((17, 3))).astype(np.float32)[segment]
    shade = choose(y > tall - 0.5, 0.8, 1.0)
    colour = plaster[segment] * shade
    colour = np.where(window[..., None], glass[segment] * lit[..., None], colour)
    colour = np.where(shop[..., None], glass[segment] * 0.8, colour)
    return np.where(awning[..., None], sign, colour)
