"""What ``reproduce`` says before it starts: everything that is missing, of all rows, with the commands that get it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import lab_row
import numpy as np
import pytest
from lab_row import reproduce

from paddleisa.cli.main import main
from paddleisa.errors import UsageError, WeightsError
from paddleisa.reproduce.preflight import NotReady, choose, data_digest
from paddleisa.reproduce.targets import ways_of
from paddleisa.zoo.catalogue.catalogue import load_catalogue

CITYSCAPES = ["isanet_resnet50_os8_cityscapes_769x769_80k", "isanet_resnet101_os8_cityscapes_769x769_80k"]
VOC = ["isanet_resnet50_os8_voc12aug_512x512_40k", "isanet_resnet101_os8_voc12aug_512x512_40k"]


@pytest.fixture(autouse=True)
def in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("ready") / "model.pdparams"
    lab_row.save_random_weights(path)
    return path


@pytest.fixture
def url(server, serve, weights):
    return server.add("/small/model.pdparams", serve.file(weights.read_bytes()))


def words_of(tmp_path, url, *names):
    file = lab_row.write_catalogue(tmp_path, url, {"single": 50.0}, names or ("small",))
    return [*(names or ["small"]), "--catalogue", file]


def test_without_anything_all_four_rows_and_the_commands_for_them_are_named(capsys):
    assert main(["reproduce"]) == 2
    said = capsys.readouterr().err
    said += "\n"
    assert "4 of 4 models cannot be evaluated yet; nothing was started" in said
    for name in CITYSCAPES + VOC:
        assert f"  {name}\n" in said
        assert f"  paddleisa zoo download {name}\n" in said
    for command in (
        "csDownload -d data/cityscapes gtFine_trainvaltest.zip leftImg8bit_trainvaltest.zip",
        "paddleisa prepare cityscapes data/cityscapes",
        "\n  paddleisa prepare voc data/VOCdevkit\n",
    ):
        assert said.count(command) == 1  # once, although two rows need it


def test_no_weights_are_downloaded_while_data_is_missing(tmp_path, url, server):
    words = words_of(tmp_path, url)
    data = json.loads((tmp_path / "lab.yml").read_text())
    data["models"]["small"]["config"] = CITYSCAPES[0]
    (tmp_path / "lab.yml").write_text(json.dumps(data))
    with pytest.raises(NotReady, match="data/cityscapes"):
        reproduce(*words)
    assert server.seen == []


def test_one_missing_file_of_one_row_stops_all_and_names_the_rows_that_could_run(tmp_path, url, server):
    words = words_of(tmp_path, url, "here", "gone")
    data = json.loads((tmp_path / "lab.yml").read_text())
    data["models"]["gone"]["weights"] = {"url": f"{server.root}/gone.pdparams"}
    (tmp_path / "lab.yml").write_text(json.dumps(data))
    server.add("/gone.pdparams", lambda h: h.send_error(404))
    with pytest.raises(NotReady) as error:
        reproduce(*words)
    said = str(error.value)
    assert said.startswith("1 of 2 models") and "404" in said
    assert f"paddleisa zoo download gone --catalogue {tmp_path / 'lab.yml'}" in said
    assert f"paddleisa reproduce here --catalogue {tmp_path / 'lab.yml'}" in said
    assert not Path("output").exists()


def test_offline_nothing_is_requested(tmp_path, url, server):
    with pytest.raises(NotReady, match="offline"):
        reproduce(*words_of(tmp_path, url), "--offline")
    assert server.seen == []


def test_weights_that_do_not_fit_are_found_before_the_work(tmp_path, url, weights, server, serve):
    from paddleisa.weights import read_weights, save_weights

    state = read_weights(weights)
    state.popitem()
    save_weights(state, tmp_path / "lacking.pdparams")
    server.add("/small/model.pdparams", serve.file((tmp_path / "lacking.pdparams").read_bytes()))
    with pytest.raises(NotReady, match="small\n.*missing"):
        reproduce(*words_of(tmp_path, url))
    assert not Path("output").exists()


def test_a_changed_file_is_not_taken_for_the_published_one(tmp_path, url, own_home):
    words = words_of(tmp_path, url)
    assert reproduce(*words, "--limit", 1) == 1
    (cached,) = own_home.glob("weights/small/*.pdparams")
    shutil.copy(cached, tmp_path / "mine.pdparams")
    lab_row.save_random_weights(tmp_path / "pretrained/small/model.pdparams", seed=3)
    with pytest.raises(NotReady, match="that of the published file"):
        reproduce(*words, "--limit", 1)
    lab_row.save_random_weights(tmp_path / "other.pdparams", seed=3)
    assert reproduce(*words, "--limit", 1, "--model_path", "other.pdparams") == 1
    row = json.loads(Path("output/reproduce/small/quick_look.json").read_text())["models"][0]
    assert row["weights_origin"] == "NOT known to be the published file: given with --model_path"


def test_all_mistakes_of_a_config_are_said_and_nothing_is_started(tmp_path, url, server):
    with pytest.raises(NotReady, match="val_dataset") as error:
        reproduce(*words_of(tmp_path, url), "--opts", "val_dataset.num_imges=3")
    assert "num_images" in str(error.value)


def test_one_file_is_not_the_weights_of_two_rows(tmp_path, url, weights):
    with pytest.raises(UsageError, match="--model_path"):
        reproduce(*words_of(tmp_path, url, "a", "b"), "--model_path", weights)


def test_names_are_models_families_or_all_and_none_means_the_four_rows():
    catalogue = load_catalogue()
    assert [entry.name for entry in choose([], catalogue)] == [CITYSCAPES[0], CITYSCAPES[1], VOC[0], VOC[1]]
    assert choose(["paddleseg"], catalogue) == choose([], catalogue)
    assert len(choose(["all"], catalogue)) == len(catalogue) > 20
    assert [entry.name for entry in choose([VOC[0], VOC[0]], catalogue)] == [VOC[0]]


def test_the_four_rows_are_held_against_the_published_table():
    # FACTS of the original: single and flip of 2021, ms+flip of 2021 and of 2023.
    table = {
        CITYSCAPES[0]: (79.03, 79.43, 79.52, 79.84),
        CITYSCAPES[1]: (80.10, 80.30, 80.26, 80.58),
        VOC[0]: (79.69, 79.93, 80.53, 80.54),
        VOC[1]: (79.57, 79.69, 80.01, 80.11),
    }
    for entry in choose([], load_catalogue()):
        found = {way.key: way.published for way in ways_of(entry)}
        single, flip, published, corrected = table[entry.name]
        assert found == {
            "paddleseg-2021/single": single,
            "paddleseg-2021/flip": flip,
            "paddleseg-2021/ms_flip": published,
            "paddleseg-2023/single": None,
            "paddleseg-2023/flip": None,
            "paddleseg-2023/ms_flip": corrected,
        }


def test_rows_of_mmsegmentation_are_measured_as_their_configs_say():
    import paddleisa
    from paddleisa.inference.settings import inference_settings

    for entry in choose(["mmsegmentation"], load_catalogue()):
        config = paddleisa.load_config(entry.config)
        for way, augmented in zip(ways_of(entry), (False, True), strict=True):
            assert way.settings == inference_settings(config.get("test_config"), {"aug_eval": augmented})
        assert [way.published for way in ways_of(entry)] == [entry.row.scores.single, entry.row.scores.ms_flip]


def test_a_converted_file_is_known_by_the_file_it_was_made_from(tmp_path):
    from paddleisa.weights import save_weights
    from paddleisa.zoo.download.locate import origin_of

    entry = load_catalogue().get("isanet_r50-d8_512x512_20k_voc12aug")  # the publisher's hash begins with 79d59b80
    path = tmp_path / "w.safetensors"
    for source, said in (("79d59b80" + 56 * "0", "converted from the published file"), (None, "put there by hand")):
        note = None if source is None else {"source_sha256": source}
        save_weights({"x": np.zeros(2, np.float32)}, path, metadata=note)
        assert origin_of(entry, path, "ab" * 32, given=False).startswith(said)
    save_weights({"x": np.zeros(2, np.float32)}, path, metadata={"source_sha256": 64 * "1"})
    with pytest.raises(WeightsError, match="79d59b80"):
        origin_of(entry, path, "ab" * 32, given=False)


class Listed:
    """A data set by its file names only."""

    def __init__(self, *files):
        self.samples = [(str(file), None) for file in files]


def test_the_data_digest_is_that_of_a_copy_and_not_that_of_other_data(tmp_path):
    for folder in ("one", "two/deep"):
        (tmp_path / folder).mkdir(parents=True)
        for name in ("a.png", "b.png"):
            (tmp_path / folder / name).write_bytes(np.arange(9, dtype=np.uint8).tobytes())
    one = data_digest(Listed(tmp_path / "one/a.png", tmp_path / "one/b.png"))
    assert one == data_digest(Listed(tmp_path / "two/deep/a.png", tmp_path / "two/deep/b.png"))
    assert one != data_digest(Listed(tmp_path / "one/b.png", tmp_path / "one/a.png"))
    assert one != data_digest(Listed(tmp_path / "one/a.png"))
    (tmp_path / "one/b.png").write_bytes(b"another")
    assert one != data_digest(Listed(tmp_path / "one/a.png", tmp_path / "one/b.png"))
