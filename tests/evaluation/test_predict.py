"""Masks as files: what is written, under which name, and what must never be overwritten."""

import errno
import os
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image

from paddleisa.datasets.image_files import find_images
from paddleisa.errors import DataError, UsageError
from paddleisa.evaluation.predict import FOLDERS, areas, predict, result_folders
from paddleisa.evaluation.video import predict_video
from paddleisa.utils.files import WriteError

PALETTE = np.array([[10, 20, 30], [200, 0, 0], [0, 200, 0], [0, 0, 200]], np.uint8)


class Predictor:
    """A stand-in: the mask is a function of the image."""

    def __init__(self, mask=lambda image: image[:, :, 0] % 4, note=None):
        self.mask, self.settings = mask, SimpleNamespace(note=lambda size: note)
        self.engine = SimpleNamespace(streams=1)
        self.classes = SimpleNamespace(names=["road", "car", "tree", "sky"])

    def prepare(self, sample):
        return sample

    def logits(self, sample):
        return sample["img"]


def picture(path, size=(12, 9), seed=0):
    image = np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return np.array(Image.open(path).convert("RGB"))


def written(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def run(path, save_dir, **options):
    return predict(
        Predictor(), find_images(path, result_folders(save_dir)), save_dir, PALETTE, progress=False, **options
    )


def test_the_three_pictures_hold_the_mask_its_colours_and_both_over_the_image(tmp_path):
    image = picture(tmp_path / "street.png")
    result = run(tmp_path / "street.png", tmp_path / "out")
    files = result.written[0]
    ids, colours, over = (np.array(Image.open(files[kind])) for kind in ("ids", "colour", "overlay"))
    expected = image[:, :, 0] % 4
    np.testing.assert_array_equal(ids, expected)
    np.testing.assert_array_equal(colours, expected)  # a palette PNG still holds the class ids
    np.testing.assert_array_equal(np.array(Image.open(files["colour"]).convert("RGB")), PALETTE[expected])
    np.testing.assert_allclose(over, image / 2 + PALETTE[expected] / 2, atol=1)
    assert written(tmp_path / "out") == [f"{folder}/street.png" for folder in sorted(FOLDERS.values())]


def test_the_ids_and_the_palette_are_png_kinds_that_label_tools_read(tmp_path):
    picture(tmp_path / "street.png")
    files = run(tmp_path / "street.png", tmp_path / "out").written[0]
    assert (Image.open(files["ids"]).mode, Image.open(files["colour"]).mode) == ("L", "P")


def test_images_that_differ_only_in_their_suffix_keep_it(tmp_path):
    picture(tmp_path / "in/a.png", seed=1)
    picture(tmp_path / "in/a.jpg", seed=2)
    picture(tmp_path / "in/b.jpg", seed=3)
    run(tmp_path / "in", tmp_path / "out")
    assert written(tmp_path / "out" / FOLDERS["ids"]) == ["a.jpg.png", "a.png.png", "b.png"]


def test_two_listed_images_of_one_name_in_two_folders_outside_the_lists_do_not_overwrite_each_other(tmp_path):
    first, second = picture(tmp_path / "one/x.png", seed=1), picture(tmp_path / "two/x.png", seed=2)
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/all.txt").write_text("../one/x.png\n../two/x.png\n")
    result = run(tmp_path / "lists/all.txt", tmp_path / "out")
    for image, files in zip((first, second), result.written, strict=True):
        np.testing.assert_array_equal(np.array(Image.open(files["ids"])), image[:, :, 0] % 4)


def test_an_image_listed_twice_is_written_under_one_name(tmp_path):
    picture(tmp_path / "x.png")
    (tmp_path / "all.txt").write_text("x.png\nx.png\n")
    result = run(tmp_path / "all.txt", tmp_path / "out")
    assert len(result.written) == 2
    assert written(tmp_path / "out" / FOLDERS["ids"]) == ["x.png"]


def test_a_folder_is_searched_with_its_subfolders_whose_names_are_kept(tmp_path):
    for name in ("a.png", "sub/a.png", "sub/deep/B.JPG", "été/über.png"):
        picture(tmp_path / "in" / name)
    (tmp_path / "in/notes.txt").write_text("no image")
    picture(tmp_path / "in/.cache/thumbnail.png")
    picture(tmp_path / "in/._a.png")
    run(tmp_path / "in", tmp_path / "out")
    assert written(tmp_path / "out" / FOLDERS["ids"]) == ["a.png", "sub/a.png", "sub/deep/B.png", "été/über.png"]


def test_a_list_gives_names_relative_to_its_folder(tmp_path):
    for name in ("images/a.png", "images/with blank.png"):
        picture(tmp_path / name)
    text = "\ufeff# a comment\nimages/a.png labels/a.png\r\n\r\nimages/with blank.png\n"
    (tmp_path / "val.txt").write_text(text, encoding="utf-8")
    found = find_images(tmp_path / "val.txt")
    assert [path.relative_to(tmp_path).as_posix() for path, _ in found] == ["images/a.png", "images/with blank.png"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"nosuch.png\n", "the list names 'nosuch.png', which is not there"),
        (b"\n\n", "no image in it"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"a\0b.png\n", "which is not there"),
    ],
)
def test_a_list_that_cannot_be_used_says_why(tmp_path, content, message):
    (tmp_path / "val.txt").write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        find_images(tmp_path / "val.txt")
    assert str(tmp_path / "val.txt") in str(error.value)


def test_nothing_and_an_empty_folder_are_told_apart(tmp_path):
    with pytest.raises(DataError, match="there is no such image, folder or list"):
        find_images(tmp_path / "nosuch")
    with pytest.raises(DataError, match=r"no image in it\. Images end in \.jpg"):
        find_images(tmp_path)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_image_does_not_stop_the_others(tmp_path, workers):
    for name in "abc":
        picture(tmp_path / f"in/{name}.png")
    (tmp_path / "in/b.png").write_bytes((tmp_path / "in/b.png").read_bytes()[:50])
    result = run(tmp_path / "in", tmp_path / "out", workers=workers)
    assert written(tmp_path / "out" / FOLDERS["ids"]) == ["a.png", "c.png"]
    assert list(result.failed) == [str(tmp_path / "in/b.png")]
    assert "b.png" in result.failed[str(tmp_path / "in/b.png")]


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "LA", "CMYK"])
def test_images_of_any_kind_reach_the_predictor_as_rgb(tmp_path, mode):
    source = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 9, 3)).astype(np.uint8)).convert(mode)
    path = tmp_path / ("x.jpg" if mode == "CMYK" else "x.png")
    source.save(path)
    seen = []

    def mask(image):
        seen.append(image)
        return np.zeros(image.shape[:2], np.uint8)

    assert not predict(Predictor(mask), find_images(path), tmp_path / "out", PALETTE, progress=False).failed
    assert (seen[0].shape, seen[0].dtype) == ((8, 9, 3), np.uint8)


def test_a_second_run_does_not_take_the_first_ones_results_for_images(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "a.png")
    first = run(".", "output/result")
    again = run(".", "output/result")
    assert [entry["image"] for entry in again.written] == [entry["image"] for entry in first.written] == ["a.png"]


def test_a_result_that_would_overwrite_an_original_is_refused_before_anything_is_written(tmp_path):
    originals = tmp_path / FOLDERS["ids"]
    picture(originals / "a.png")
    picture(originals / "b.png")
    before = {p.name: p.read_bytes() for p in originals.iterdir()}
    with pytest.raises(UsageError, match="would overwrite an image"):
        run(originals, tmp_path)
    assert {p.name: p.read_bytes() for p in originals.iterdir()} == before
    assert written(tmp_path) == [f"{FOLDERS['ids']}/a.png", f"{FOLDERS['ids']}/b.png"]


def test_an_original_behind_a_symbolic_link_is_not_overwritten_either(tmp_path):
    picture(tmp_path / "photos/a.png")
    before = (tmp_path / "photos/a.png").read_bytes()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / FOLDERS["ids"]).symlink_to(tmp_path / "photos", target_is_directory=True)
    with pytest.raises(UsageError, match="would overwrite an image"):
        run(tmp_path / "photos/a.png", tmp_path / "out")
    assert (tmp_path / "photos/a.png").read_bytes() == before


def test_a_save_dir_that_is_a_file_is_our_error(tmp_path):
    picture(tmp_path / "a.png")
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(WriteError, match="cannot be written"):
        run(tmp_path / "a.png", tmp_path / "out")


def test_a_full_disk_stops_the_run_with_our_error_and_leaves_no_half_file(tmp_path, monkeypatch):
    picture(tmp_path / "a.png")

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteError, match="no space left"):
        run(tmp_path / "a.png", tmp_path / "out")
    assert written(tmp_path / "out") == []


def test_an_exif_orientation_is_applied_and_the_mask_has_the_upright_size(tmp_path):
    image = Image.fromarray(np.zeros((8, 12, 3), np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6  # rotate by 90 degrees to show
    image.save(tmp_path / "a.jpg", exif=exif)
    files = run(tmp_path / "a.jpg", tmp_path / "out").written[0]
    assert cv2.imread(files["ids"], cv2.IMREAD_UNCHANGED).shape == (12, 8)


def test_how_a_large_image_is_computed_is_said_with_its_name(tmp_path, capsys):
    picture(tmp_path / "in/large.png")
    predict(Predictor(note="in windows"), find_images(tmp_path / "in"), tmp_path / "out", PALETTE, progress=False)
    assert "large.png: in windows" in capsys.readouterr().out


def test_the_areas_of_the_classes_in_a_mask_are_counted(tmp_path):
    image = picture(tmp_path / "street.png")
    found = run(tmp_path / "street.png", tmp_path / "out").written[0]["areas"]
    for number, name in enumerate(["road", "car", "tree", "sky"]):
        pixels = int((image[:, :, 0] % 4 == number).sum())
        assert found[name] == {"pixels": pixels, "share": pytest.approx(pixels / image[:, :, 0].size)}


def test_a_class_that_is_not_in_the_mask_has_no_area():
    assert list(areas(np.array([[2, 2], [0, 2]], np.uint8), ["a", "b", "c"])) == ["a", "c"]


def test_a_pattern_names_files(tmp_path):
    for name in ("a/1.png", "a/2.png", "b/3.png"):
        picture(tmp_path / name)
    (tmp_path / "a/note.txt").write_text("")
    assert [str(name) for _, name in find_images(tmp_path / "a/*")] == ["1.png", "2.png"]
    assert [str(name) for _, name in find_images(tmp_path / "**/[13].png")] == ["a/1.png", "b/3.png"]
    with pytest.raises(DataError, match="no image in it"):
        find_images(tmp_path / "*.bmp")


def test_a_video_gets_its_masks_laid_over_each_frame(tmp_path):
    frames = [np.full((48, 64, 3), 40 * number, np.uint8) for number in range(5)]
    writer = cv2.VideoWriter(str(tmp_path / "drive.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for frame in frames:
        writer.write(frame)
    writer.release()
    predictor = Predictor(lambda image: np.ones(image.shape[:2], np.uint8))
    result = predict_video(predictor, tmp_path / "drive.avi", tmp_path / "out", PALETTE, progress=False)
    assert (result.frames, result.file) == (5, tmp_path / "out/added_prediction/drive.mp4")
    capture = cv2.VideoCapture(str(result.file))
    assert capture.get(cv2.CAP_PROP_FPS) == 10
    for frame in frames:
        shown = capture.read()[1][:, :, ::-1].astype(int)
        expected = frame.astype(int) // 2 + PALETTE[1].astype(int) // 2
        assert np.abs(shown - expected).mean() < 12  # the video's compression
    assert not capture.read()[0]
    assert written(tmp_path / "out") == ["added_prediction/drive.mp4"]


def test_a_limit_ends_a_video_early(tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / "drive.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for _ in range(5):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    options = {"limit": 2, "progress": False}
    assert predict_video(Predictor(), tmp_path / "drive.avi", tmp_path / "out", PALETTE, **options).frames == 2


def test_what_is_no_video_is_refused_and_leaves_nothing(tmp_path):
    (tmp_path / "x.mp4").write_bytes(b"no video")
    with pytest.raises(DataError, match="OpenCV cannot read this video"):
        predict_video(Predictor(), tmp_path / "x.mp4", tmp_path / "out", PALETTE, progress=False)
    assert not (tmp_path / "out").exists()
