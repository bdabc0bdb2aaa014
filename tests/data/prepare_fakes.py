"""Data in the official layouts, made by other means than the package's own: polygons drawn by the official script."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image

CITIES = {"train": ("aachen", "ulm"), "val": ("frankfurt",)}


def photograph(rng, height, width):
    """Blobs and noise: what no two images share."""
    coarse = rng.integers(30, 220, (height // 8 + 1, width // 8 + 1, 3)).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.BICUBIC), np.int16)
    return np.clip(smooth + rng.integers(-12, 13, smooth.shape), 0, 255).astype(np.uint8)


def polygons(rng, names, height, width):
    """Random polygons of every label name in random order, some deleted, some a group, beyond the borders too."""
    objects = [{"label": "road", "polygon": [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]}]
    for name in rng.permutation(names):
        centre = rng.integers(0, [width, height])
        points = centre + rng.integers(-height // 3, height // 3, (int(rng.integers(3, 9)), 2))
        objects.append({"label": str(name), "polygon": points.tolist()})
    objects.append({"label": "cargroup", "polygon": [[5, 5], [12, 4], [9, 15]]})
    objects.append({"label": "sky", "deleted": 1, "polygon": [[0, 0], [width, 0], [width, height]]})
    return {"imgHeight": height, "imgWidth": width, "objects": objects}


def write_cityscapes(root, train=2, val=2, height=96, width=192, seed=0):
    """A download of Cityscapes: images, polygons, and labelIds drawn from them by the official script."""
    from cityscapesscripts.helpers.labels import labels
    from cityscapesscripts.preparation.json2labelImg import json2labelImg

    rng = np.random.default_rng(seed)
    names = [label.name for label in labels]
    for split, count in (("train", train), ("val", val)):
        for number in range(count):
            city = CITIES[split][number % len(CITIES[split])]
            stem = f"{city}_{number:06d}_000019"
            image = root / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png"
            truth = root / "gtFine" / split / city / f"{stem}_gtFine_polygons.json"
            for path in (image, truth):
                path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(photograph(rng, height, width)).save(image)
            truth.write_text(json.dumps(polygons(rng, names, height, width)))
            json2labelImg(str(truth), str(truth).replace("_polygons.json", "_labelIds.png"), "ids")
    return root


def official_train_ids(root, monkeypatch):
    """{name: pixels} of what the official createTrainIdLabelImgs writes for ``root``; its files are removed again."""
    from cityscapesscripts.preparation import createTrainIdLabelImgs

    monkeypatch.setenv("CITYSCAPES_DATASET", str(root))
    createTrainIdLabelImgs.main()
    out = {}
    for path in sorted(root.glob("gtFine/*/*/*_labelTrainIds.png")):
        out[path.name] = np.array(Image.open(path))
        path.unlink()
    return out
