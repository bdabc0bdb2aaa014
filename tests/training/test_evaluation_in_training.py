"""What a training says of its model at the end is what `val` measures of the saved one, whatever the config says."""

import json
from pathlib import Path

import cv2
import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from paddleisa.cli.main import main
from paddleisa.config import load_config
from paddleisa.training.options import TrainOptions
from paddleisa.training.trainer import Trainer, train

TINY = Path(__file__).parent / "tiny" / "tiny.yml"
SIZES = [(40, 52), (33, 64), (48, 31)]

NORMALIZE = st.sampled_from([{}, {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.25, 0.3]}])
GEOMETRY = st.sampled_from(
    [
        [],
        [{"type": "Padding", "target_size": [64, 64]}],
        [{"type": "Resize", "target_size": [40, 32]}],
        [{"type": "ResizeByLong", "long_size": 48}, {"type": "Padding", "target_size": [56, 56]}],
        [{"type": "LimitLong", "max_long": 44}],
    ]
)
TEST_CONFIG = st.fixed_dictionaries(
    {},
    optional={
        "aug_eval": st.booleans(),
        "scales": st.sampled_from([1.0, 0.5, [0.75, 1.0, 1.25], [1.5]]),
        "flip_horizontal": st.booleans(),
        "flip_vertical": st.booleans(),
        "protocol": st.sampled_from(["published", "corrected", "paddleseg-2021", "mmseg"]),
    },
)
WINDOW = st.sampled_from([{}, {"is_slide": True, "crop_size": [32, 24], "stride": [20, 16]}])


def write_data(root: Path, classes: int, ignored: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for number, size in enumerate(SIZES):
        label = rng.integers(0, classes, size).astype(np.uint8)
        label[rng.random(size) < 0.3] = ignored
        cv2.imwrite(str(root / f"{number}.png"), rng.integers(0, 256, (*size, 3)).astype(np.uint8))
        cv2.imwrite(str(root / f"{number}_label.png"), label)
    (root / "list.txt").write_text("".join(f"{n}.png {n}_label.png\n" for n in range(len(SIZES))))


def config_file(root: Path, classes: int, ignored: int, geometry: list, normalize: dict, test_config: dict) -> Path:
    data = {"type": "Dataset", "dataset_root": str(root), "num_classes": classes, "ignore_index": ignored}
    last = {"type": "Normalize", **normalize}
    crop = {"type": "RandomPaddingCrop", "crop_size": [32, 32], "label_padding_value": ignored}
    values = {
        "_base_": str(TINY),
        "iters": 2,
        "train_dataset": {"_inherited_": False, **data, "mode": "train", "train_path": "list.txt",
                          "transforms": [crop, last]},
        "val_dataset": {"_inherited_": False, **data, "mode": "val", "val_path": "list.txt",
                        "transforms": [*geometry, last]},
        "loss": {"types": [{"type": "CrossEntropyLoss", "ignore_index": ignored}], "coef": [1, 0.4]},
        "test_config": test_config,
    }  # fmt: skip
    path = root / "config.yml"
    path.write_text(json.dumps(values))  # JSON is YAML
    return path


def last_evaluation(folder: Path) -> dict:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == "eval"][-1]


@settings(max_examples=6, deadline=None, phases=[Phase.explicit, Phase.generate])  # shrinking would train for minutes
@given(
    classes=st.integers(2, 4),
    ignored=st.sampled_from([255, 254, 4, 9]),
    geometry=GEOMETRY,
    normalize=NORMALIZE,
    test_config=TEST_CONFIG,
    window=WINDOW,
    seed=st.integers(0, 99),
)
def test_the_last_score_of_a_training_is_what_val_measures_of_its_model(
    tmp_path_factory, classes, ignored, geometry, normalize, test_config, window, seed
):
    root = tmp_path_factory.mktemp("run")
    write_data(root, classes, ignored, seed)
    path = config_file(root, classes, ignored, geometry, normalize, {**test_config, **window})
    train(load_config(path), TrainOptions(save_dir=root / "out", save_interval=2, do_eval=True, progress=False))
    told = last_evaluation(root / "out")
    command = ["val", "--config", str(path), "--device", "cpu", "--json", str(root / "val.json")]
    assert main([*command, "--model_path", str(root / "out/iter_2/model.pdparams")]) == 0
    measured = json.loads((root / "val.json").read_text())
    for key in ("miou", "present_miou", "accuracy", "kappa", "mdice", "class_iou", "pixels", "measured_with"):
        assert told[key] == measured[key], key


def test_a_validation_set_without_a_labelled_pixel_crowns_no_best_model(tmp_path, capfd):
    write_data(tmp_path, 3, 255, 0)
    (tmp_path / "nothing.txt").write_text("0.png nothing.png\n")
    cv2.imwrite(str(tmp_path / "nothing.png"), np.full(SIZES[0], 255, np.uint8))
    path = config_file(tmp_path, 3, 255, [], {}, {})
    config = load_config(path, opts=["val_dataset.val_path=nothing.txt"])
    options = TrainOptions(save_dir=tmp_path / "out", save_interval=1, do_eval=True, progress=False)
    result = Trainer(config, options).run()  # without the look at a few files, which sees it in so small a set
    assert (result.best_miou, result.best_iteration) == (None, None)
    assert not (tmp_path / "out/best_model").exists()
    assert "the validation set has no labelled pixel: no score, and no best model" in capfd.readouterr().out
