"""The shipped catalogues say what the sources say, and a bad catalogue is refused with its line."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
import yaml
from fuzz import fuzz
from hypothesis import given
from hypothesis import strategies as st

from paddleisa.errors import ConfigError, UsageError
from paddleisa.zoo.catalogue.catalogue import load_catalogue, parse_manifest, read_catalogue

PRETRAINED = Path(__file__).parents[2] / "pretrained"
REFERENCE = Path(__file__).parents[1] / "reference" / "state_manifest.json"
PUBLISHED = {  # the README of PaddleSeg's ISANet: mIoU, flip, ms+flip of 2021 and of 2023
    "isanet_resnet50_os8_cityscapes_769x769_80k": (79.03, 79.43, 79.52, 79.84),
    "isanet_resnet101_os8_cityscapes_769x769_80k": (80.10, 80.30, 80.26, 80.58),
    "isanet_resnet50_os8_voc12aug_512x512_40k": (79.69, 79.93, 80.53, 80.54),
    "isanet_resnet101_os8_voc12aug_512x512_40k": (79.57, 79.69, 80.01, 80.11),
}
MINE = """
version: 1
family: lab
about: ours
scores_origin: measured by us
models:
  mine:
    config: mine.yml
    backbone: ResNet50_vd
    dataset: Streets
    crop_size: [64, 64]
    iterations: 10
    total_batch: 2
    num_classes: 3
    scores: {single: 71.25}
    weights: {url: https://files.lab/mine.pdparams}
"""


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue()


@pytest.fixture
def write(tmp_path):
    def run(text: str, name: str = "lab.yml") -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return run


def test_the_four_published_rows_are_listed_with_their_scores(catalogue):
    scores = {entry.name: entry.row.scores for entry in catalogue if entry.family == "paddleseg"}
    found = {n: (s.single, s.flip, *s.ms_flip_by_protocol.values()) for n, s in scores.items()}
    assert found == PUBLISHED


@pytest.mark.reference
@pytest.mark.parametrize("name", PUBLISHED)
def test_manifests_hold_the_tensors_of_the_original(catalogue, name):
    original = json.loads(REFERENCE.read_text())[name]
    entry = catalogue.get(name)
    assert [[n, list(t.shape), t.dtype] for n, t in entry.manifest().items()] == sorted(original["state"])
    assert entry.row.parameters == original["parameters"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_digest_is_what_sha256sum_says_of_the_manifest_file(catalogue, name):
    state = catalogue.get(name).row.state
    assert hashlib.sha256((PRETRAINED / state.manifest).read_bytes()).hexdigest() == state.sha256


def test_sixteen_mmsegmentation_checkpoints_have_the_hash_prefix_of_their_file_name(catalogue):
    entries = [entry for entry in catalogue if entry.family == "mmsegmentation"]
    assert len(entries) == 16
    for entry in entries:
        stem = entry.row.weights.url.rpartition("/")[2]
        assert re.fullmatch(rf"{entry.name}_\d{{8}}_\d{{6}}-{entry.row.weights.sha256_prefix}\.pth", stem)
        assert (entry.row.evaluation.mode == "slide") == ("769x769" in entry.name) == entry.row.evaluation.align_corners
        assert entry.row.num_classes == {"cityscapes": 19, "ade20k": 150, "voc12aug": 21}[entry.name.rsplit("_", 1)[1]]


@pytest.mark.parametrize("path", sorted(PRETRAINED.glob("*.yml")), ids=lambda path: path.stem)
def test_no_hash_or_size_stands_in_a_shipped_catalogue_without_a_recorded_origin(path):
    data = yaml.safe_load(path.read_text())

    def walk(value, origin):
        if isinstance(value, list):
            for item in value:
                walk(item, origin)
        elif isinstance(value, dict):
            origin = value.get("origin") or origin
            for key, item in value.items():
                if item is not None and (key in ("sha256", "sha256_prefix", "size", "md5") or _is_hash(item)):
                    assert origin, f"{key}: {item}"
                walk(item, origin)

    for row in data["models"].values():
        for part in ("weights", "state"):
            walk(row.get(part), data.get("defaults", {}).get(part, {}).get("origin"))
        walk({key: value for key, value in row.items() if key not in ("weights", "state")}, None)
    # The only hashes known today: prefixes from file names, digests that the tests above compute again, and those of
    # files that come with the catalogue.
    for row in data["models"].values():
        if digest := row["weights"].get("sha256"):
            shipped = (path.parent / row["weights"]["file"]).read_bytes()
            assert digest == hashlib.sha256(shipped).hexdigest()
            assert row["weights"]["size"] == len(shipped)


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{32,128}", value) is not None


def test_a_hash_without_origin_is_refused_with_its_line(write):
    path = write(MINE.replace("mine.pdparams}", f"mine.pdparams, sha256: {'0' * 63}a}}"))
    with pytest.raises(ConfigError, match=r"lab\.yml:16: models\.mine\.weights: .*origin"):
        read_catalogue(path)


def test_every_mistake_is_reported_at_once_with_line_and_nearest_key(write):
    text = MINE.replace("num_classes", "num_clases").replace("[64, 64]", "[64, 0]").replace("https:", "file:")
    with pytest.raises(ConfigError) as caught:
        read_catalogue(write(text))
    said = str(caught.value)
    assert "lab.yml:14: models.mine.num_clases: there is no such key. Did you mean 'num_classes'?" in said
    assert "lab.yml:11: models.mine.crop_size" in said and "lab.yml:16: models.mine.weights.url" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a catalogue"),
        ("- 1", "not a catalogue"),
        ("a: [", ":1: is not YAML"),
        (MINE + "  mine: {}\n", "'mine' is given twice"),
        ("a: &x [*x]\n", ":1: is nested or repeated without end"),
        (MINE.replace("version: 1", "version: 2"), ":2: version"),
        (MINE.replace("  mine:", "  ../mine:"), "models"),
        (MINE.replace("pdparams}", "pth, sha256_prefix: 12345678, origin: its file name}"), "between quotation marks"),
    ],
)
def test_a_bad_catalogue_is_refused_in_words(write, text, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        read_catalogue(write(text))


@fuzz(60)
@given(data=st.data())
def test_random_damage_to_a_catalogue_gives_no_other_exception(write, data):
    text = (PRETRAINED / "catalogue.yml").read_text()[:2500]
    start = data.draw(st.integers(0, len(text)))
    junk = data.draw(st.text(st.sampled_from("abc:{}[]\n -#\"'&*!|>%@\t0.\0é"), max_size=8))
    damaged = text[:start] + junk + text[start + data.draw(st.integers(0, 20)) :]
    try:
        read_catalogue(write(damaged))
    except ConfigError as error:
        assert "lab.yml" in str(error)


def test_the_example_in_the_readme_is_a_valid_catalogue(write):
    example = re.search(r"```yaml\n(.*?)```", (PRETRAINED / "README.md").read_text(), re.DOTALL)[1]
    (entry,) = read_catalogue(write(example))
    assert entry.row.weights.format == "safetensors" and entry.row.evaluation.stride == (513, 513)


def test_own_catalogues_join_by_option_variable_and_list(write, monkeypatch, own_home):
    by_option = write(MINE)
    by_variable = write(MINE.replace("  mine:", "  second:"), "second.yml")
    by_list = write(MINE.replace("  mine:", "  third:"), "third.yml")
    monkeypatch.setenv("PADDLEISA_CATALOGUES", str(by_variable))
    own_home.mkdir()
    (own_home / "catalogues.txt").write_text(f"# ours\n\n{by_list}\n")
    catalogue = load_catalogue([by_option, by_variable])  # named twice counts once
    assert {"mine", "second", "third", *PUBLISHED} <= {entry.name for entry in catalogue}
    assert catalogue.get("mine").config == str(by_option.parent / "mine.yml")


def test_a_name_in_two_catalogues_is_an_error_that_names_both(write):
    first, second = write(MINE), write(MINE, "other.yml")
    with pytest.raises(ConfigError, match=r"other\.yml:7: model 'mine' is already in .*lab\.yml:7"):
        load_catalogue([first, second])


def test_an_unknown_name_gets_the_nearest(catalogue):
    with pytest.raises(UsageError, match="Did you mean 'isanet_resnet50_os8_voc12aug_512x512_40k'"):
        catalogue.get("isanet_resnet50_os8_voc12aug_512x512")


def test_a_changed_manifest_is_refused(write, tmp_path):
    line = "head.weight [3,2] float32\n"
    digest = hashlib.sha256(line.encode()).hexdigest()
    state = f"    state: {{manifest: mine.txt, tensors: 1, sha256: {digest}, origin: made for a test}}\n"
    (entry,) = read_catalogue(write(MINE + state))
    (tmp_path / "mine.txt").write_text(line)
    assert entry.manifest() == {"head.weight": ((3, 2), "float32")}
    (tmp_path / "mine.txt").write_text(line.replace("3", "4"))
    with pytest.raises(ConfigError, match=r"lab\.yml:7: manifest mine\.txt has 1 tensors and digest"):
        entry.manifest()


@pytest.mark.parametrize(
    "line", ["x", "x float32", "x [1 float32", "x [-1] float32", "x [true] float32", "x {} f", " [1] f"]
)
def test_a_bad_manifest_line_is_refused_with_its_number(line):
    with pytest.raises(ConfigError, match="m.txt:2"):
        parse_manifest(f"a [] int64\n{line}\n", "m.txt")
