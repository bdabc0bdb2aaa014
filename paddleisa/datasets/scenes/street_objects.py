"""What stands and moves in the street of ``street.py``: trees, poles, cars and people, each with its exact outline.

Each is drawn in a box that faces the camera: u from 0 (left) to 1 (right), v from 0 (ground) to 1 (top).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from paddleisa.datasets.scenes.street import CAR, EYE, IGNORED, PERSON, POLE, VEGETATION, Scene, Street, noise, uniform
from paddleisa.visual.palette import from_hex

_PAINTS = from_hex("282a2e bec0c2 e2e2de 921a1c 243e7a 606468 3c543c c4a03c").astype(np.float32)


def populate(scene: Scene, street: Street) -> None:
    """Draw a random crowd of objects, far ones first, so that near ones hide them."""
    rng, things = scene.rng, []
    for side, sign in ((0, -1), (1, 1)):
        road, wall = street.road[side], street.wall[side]
        things += [(z, sign * (road + 0.4), _pole) for z in _places(rng, 9, 16, 0.8)]
        things += [(z, sign * (road + 1.0), _tree) for z in _places(rng, 7, 14, 0.45)]
        things += [(z, sign * (road - 1.1), _car) for z in _places(rng, 5.5, 12, 0.55)]
        things += [(z, sign * uniform(rng, road + 0.5, wall - 0.3), _person) for z in _places(rng, 3, 12, 0.75)]
    middle = (street.road[1] - street.road[0]) / 2
    for lane in (middle - 1.7, middle + 1.7):
        things += [(z, lane, _car) for z in _places(rng, 9, 30, 0.6)]
    things += [(z, uniform(rng, -street.road[0], street.road[1]), _person) for z in _places(rng, 10, 40, 0.3)]
    for z, x, draw in sorted(things, key=lambda thing: -thing[0]):
        draw(scene, x, z)


def hood(scene: Scene) -> None:
    """The front of the camera's own car at the lower edge, which does not count."""
    height, width = scene.label.shape
    top = height * uniform(scene.rng, 0.9, 0.96)
    u = (np.arange(width, dtype=np.float32) / width - 0.5) / 0.62
    y = np.arange(height, dtype=np.float32)[:, None]
    mask = y > top + (height - top) * u**2 * 2
    shine = 30 + 40 * np.clip((y - top) / (height - top), 0, 1)[..., None] * np.ones(3, np.float32)
    scene.paint(np.s_[:, :], mask, shine, IGNORED, 0.0)


def _places(rng: np.random.Generator, step: float, spread: float, density: float) -> list[float]:
    """Distances along the street, 5 to 70 metres, at intervals of ``step`` to ``spread``, each used by chance."""
    places, z = [], 4 + spread * float(rng.random())
    while z < 70:
        if rng.random() < density:
            places.append(z)
        z += uniform(rng, step, spread)
    return places


def _box(scene: Scene, x: float, z: float, wide: float, tall: float) -> tuple | None:
    """(window, u, v) of a box ``wide`` x ``tall`` metres that stands at (x, z); None when it is out of the picture."""
    (height, width), (vx, vy), scale = scene.label.shape, scene.vanish, scene.focal / z
    half = max(wide * scale, 1.0) / 2  # at least one pixel: thin poles do not vanish
    middle, bottom = vx + x * scale, vy + EYE * scale
    top = bottom - tall * scale
    x0, x1 = max(0, round(middle - half)), min(width, round(middle + half))
    y0, y1 = max(0, round(top)), min(height, round(bottom))
    if x0 >= x1 or y0 >= y1:
        return None
    u = (np.arange(x0, x1, dtype=np.float32) + 0.5 - (middle - half)) / (2 * half)
    v = (bottom - np.arange(y0, y1, dtype=np.float32)[:, None] - 0.5) / (bottom - top)
    return np.s_[y0:y1, x0:x1], u, v


def _light(scene: Scene, x: float) -> float:
    return scene.light[0] if x < 0 else scene.light[1]


def _fill(scene: Scene, box: tuple | None, z: float, class_id: int, shape: Callable) -> None:
    """Draw ``shape(u, v) -> (mask, colour)`` in a box."""
    if box is not None:
        where, u, v = box
        mask, colour = shape(u, v)
        scene.paint(where, mask, colour, class_id, z)


def _shadow(scene: Scene, x: float, z: float, wide: float) -> None:
    """Darken the ground under an object; labels stay."""
    box = _box(scene, x, z * 0.98, wide * 1.15, 0.22)
    if box is not None:
        where, u, v = box
        inside = ((u - 0.5) * 2) ** 2 + ((v - 0.4) * 2) ** 2 < 1
        scene.img[where][inside] *= 0.5


def _tree(scene: Scene, x: float, z: float) -> None:
    rng, light = scene.rng, _light(scene, x)
    bark = np.array([82, 66, 52], np.float32) * light
    _fill(scene, _box(scene, x, z, 0.3, 3.2), z, VEGETATION, lambda u, v: (u >= 0, bark))
    radius, tall = uniform(rng, 1.3, 2.2), uniform(rng, 4.5, 7.0)
    box = _box(scene, x, z, 2 * radius, tall)
    if box is None:
        return
    _, u, v = box
    leaves = noise(rng, len(v), len(u), max(1.5, 0.35 * scene.focal / z))
    green = np.array([72, 104, 46], np.float32) * uniform(rng, 0.7, 1.25) + np.array([30, 0, 0], np.float32) * float(
        rng.random()
    )

    def crown(u: np.ndarray, v: np.ndarray) -> tuple:
        inside = ((u - 0.5) / 0.5) ** 2 + ((v - 0.7) / 0.3) ** 2 < 0.65 + 0.5 * leaves
        return inside & (v > 0.38), green * (light * (0.5 + 0.7 * leaves + 0.35 * (v - 0.7)))[..., None]

    _fill(scene, box, z, VEGETATION, crown)


def _pole(scene: Scene, x: float, z: float) -> None:
    rng, light = scene.rng, _light(scene, x)
    metal = np.full(3, uniform(rng, 70, 150), np.float32) * light
    if rng.random() < 0.5:  # a lamp with an arm over the road
        tall = uniform(rng, 5, 7)
        _fill(scene, _box(scene, x, z, 0.16, tall), z, POLE, lambda u, v: (u >= 0, metal))
        arm = x - np.sign(x) * 0.7
        _fill(scene, _box(scene, arm, z, 1.4, tall), z, POLE, lambda u, v: (v > 0.965, metal * 1.1))
        return
    tall = uniform(rng, 2.4, 3.2)  # a traffic sign
    _fill(scene, _box(scene, x, z, 0.12, tall), z, POLE, lambda u, v: (u >= 0, metal))
    face = np.array([[200, 40, 36], [30, 70, 160], [230, 200, 40]], np.float32)[rng.integers(3)] * light

    def disc(u: np.ndarray, v: np.ndarray) -> tuple:
        r2 = ((u - 0.5) * 2) ** 2 + ((v - 1 + 0.36 / tall) * tall / 0.36) ** 2
        return r2 < 1, np.where((r2 < 0.45)[..., None], np.float32(225) * light, face)

    _fill(scene, _box(scene, x, z, 0.72, tall), z, POLE, disc)


def _person(scene: Scene, x: float, z: float) -> None:
    rng, light = scene.rng, _light(scene, x)
    coat, legs = (30 + 190 * rng.random((2, 3)) ** 1.3).astype(np.float32)
    skin = np.array([200, 160, 135], np.float32) * uniform(rng, 0.45, 1.05)
    stride = uniform(rng, 0.02, 0.16)
    _shadow(scene, x, z, 0.6)

    def figure(u: np.ndarray, v: np.ndarray) -> tuple:
        across = np.abs(u - 0.5)
        head = ((u - 0.5) / 0.2) ** 2 + ((v - 0.93) / 0.07) ** 2 < 1
        torso = (v > 0.46) & (v < 0.86) & (across < 0.34 - 0.25 * np.clip(v - 0.72, 0, 1))
        leg = (v <= 0.46) & (across < 0.2 + stride * (0.46 - v) * 2) & (across > stride * (0.46 - v) * 2)
        colour = np.where(head[..., None], skin, np.where(torso[..., None], coat, legs * 0.7))
        return head | torso | leg, colour * light

    _fill(scene, _box(scene, x, z, 0.62, uniform(rng, 1.5, 1.85)), z, PERSON, figure)


def _car(scene: Scene, x: float, z: float) -> None:
    rng, light = scene.rng, _light(scene, x)
    body = _PAINTS[rng.integers(len(_PAINTS))] * uniform(rng, 0.8, 1.15)
    tall = uniform(rng, 1.4, 1.9)
    oncoming = x < 0
    lamp = np.array([235, 232, 215] if oncoming else [190, 30, 26], np.float32)
    _shadow(scene, x, z, 1.8)

    def rear(u: np.ndarray, v: np.ndarray) -> tuple:
        across = np.abs(u - 0.5)
        hull = (v > 0.14) & (v < 0.64) & (across < 0.5 - 0.06 * np.abs(v - 0.4) / 0.25)
        cabin = (v >= 0.6) & (v < 0.99) & (across < 0.46 - 0.4 * (v - 0.6) * (v > 0.6))
        wheels = (v < 0.3) & (across > 0.3) & (across < 0.46)
        glass = (v > 0.64) & (v < 0.92) & (across < 0.4 - 0.4 * (v - 0.6))
        lamps = (v > 0.44) & (v < 0.56) & (across > 0.32) & (across < 0.46)
        plate = (v > 0.3) & (v < 0.4) & (across < 0.14)
        colour = body * (0.8 + 0.5 * v)[..., None] * np.ones_like(u)[:, None]
        for part, paint in ((glass, [48, 56, 66]), (lamps, lamp), (plate, [215, 212, 190])):
            colour = np.where(part[..., None], np.array(paint, np.float32), colour)
        colour = np.where((wheels & ~hull)[..., None], np.float32(24), colour)
        return hull | cabin | wheels, colour * light

    _fill(scene, _box(scene, x, z, 1.8, tall), z, CAR, rear)
