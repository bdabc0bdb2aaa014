"""The page's server: what it answers, whom it refuses, and the page itself in a browser."""

from __future__ import annotations

import base64
import io
import shutil
import subprocess
import threading

import cv2
import numpy as np
import pytest

import paddleisa
from paddleisa.build import build_dataset, find_pretrained
from paddleisa.errors import UsageError
from paddleisa.predictor import Predictor
from paddleisa.viewer.app import create_app, serve
from paddleisa.viewer.session import Ranking, Session, _scale_of

NAME = "isanet_efficientnet_lite0_os16_camvid_448x320_600"
SCENES = "val_dataset={type: Scenes, mode: val, num_images: 3, height: 64, width: 96, transforms: [{type: Normalize}]}"


@pytest.fixture(scope="module")
def session():
    return Session({NAME: find_pretrained(NAME)})


@pytest.fixture(scope="module")
def client(session):
    return create_app(session).test_client()


def upload(image: np.ndarray, suffix: str = ".png"):
    return io.BytesIO(cv2.imencode(suffix, image[:, :, ::-1])[1].tobytes())


def decoded(address: str) -> np.ndarray:
    data = base64.b64decode(address.removeprefix("data:image/png;base64,"))
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(3).integers(0, 256, (90, 120, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def shown(client, image):
    reply = client.post("/predict", data={"file": (upload(image), "a.png"), "model": NAME, "engine": "paddle"})
    assert reply.status_code == 200, reply.text
    return reply.json


def test_an_uploaded_image_comes_back_with_the_predictors_mask_and_areas(shown, session, image):
    predictor = Predictor.from_pretrained(NAME)
    mask = predictor(image)
    drawn = decoded(shown["mask"])[:, :, ::-1]
    np.testing.assert_array_equal(drawn, predictor.classes.palette[mask])
    shares = {c["name"]: c["share"] for c in shown["classes"]}
    expected = {predictor.classes.names[k]: (mask == k).mean() for k in np.unique(mask)}
    assert shares == pytest.approx(expected)


def test_a_clicked_pixel_gives_its_class_and_both_attention_pictures(client, shown, image):
    found = client.get(f"/pixel?number={shown['number']}&x=60&y=45").json
    assert found["class"] in {c["name"] for c in shown["classes"]} and 0 < found["confidence"] <= 1
    for name in ("long", "short"):
        picture = decoded(found[name])
        assert picture.shape == (90, 120, 4) and picture[:, :, 3].max() > 200


@pytest.mark.parametrize(
    ("url", "status"), [("/pixel?number=999&x=1&y=1", 400), ("/pixel?x=1", 400), ("/thumbnail/0", 404), ("/none", 404)]
)
def test_requests_that_mean_nothing_are_refused(client, url, status):
    assert client.get(url).status_code == status


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + b"\0" * 50])
def test_a_file_that_is_no_image_is_told_in_words(client, content):
    reply = client.post("/predict", data={"file": (io.BytesIO(content), "x.png"), "model": NAME, "engine": "paddle"})
    assert reply.status_code == 400 and "x.png" in reply.json["error"]


@pytest.mark.parametrize("choice", [{"model": "../../etc/passwd", "engine": "paddle"}, {"model": NAME, "engine": "os"}])
def test_a_model_or_engine_that_is_not_offered_is_refused(client, image, choice):
    reply = client.post("/predict", data={"file": (upload(image), "a.png"), **choice})
    assert reply.status_code == 400 and "not offered" in reply.json["error"]


@pytest.mark.parametrize("headers", [{"Host": "evil.example:80"}, {"Sec-Fetch-Site": "cross-site"}])
def test_other_hosts_and_other_sites_are_refused(client, headers):
    assert client.get("/", headers=headers).status_code == 403


def test_the_page_names_the_models_and_needs_nothing_from_elsewhere(client):
    page = client.get("/").text
    assert NAME in page and "http://" not in page and "https://" not in page


@pytest.mark.parametrize(
    ("geometry", "prepared", "scale"),
    [([], (64, 96), (1, 1)), ([("padding", (50, 60))], (64, 96), (1, 1)), ([("resize", (32, 32))], (64, 96), (2, 3))],
)
def test_pixels_of_the_image_are_found_in_the_networks_input(geometry, prepared, scale):
    assert _scale_of(geometry, prepared) == scale


@pytest.fixture(scope="module")
def ranking():
    config = paddleisa.load_config("isanet_resnet18_os8_scenes_128x128_200", opts=[SCENES])
    ranked = Ranking(Predictor(paddleisa.build_model(config), config), build_dataset(config, "val"))
    ranked.run()
    return ranked


def test_images_of_a_data_set_are_ranked_worst_first_and_shown_with_truth_and_errors(session, ranking):
    client = create_app(session, ranking).test_client()
    state = client.get("/ranking").json
    ious = [item["iou"] for item in state["images"]]
    assert state["done"] == state["count"] == 3 and ious == sorted(ious)
    assert client.get(f"/thumbnail/{state['images'][0]['index']}").data.startswith(b"\x89PNG")
    reply = client.post("/predict", data={"index": "1", "model": NAME, "engine": "paddle"}).json
    assert decoded(reply["truth"]).shape[:2] == decoded(reply["errors"]).shape[:2] == (64, 96)


def test_a_port_that_is_taken_is_an_error_of_ours(session):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError, match="cannot be used"):
        serve(create_app(session), taken.getsockname()[1])


@pytest.mark.slow
def test_the_page_stands_in_a_browser(session, ranking, tmp_path):
    from werkzeug.serving import make_server

    if shutil.which("chromium") is None:
        pytest.skip("no chromium")
    server = make_server("127.0.0.1", 0, create_app(session, ranking), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
    command = ["chromium", *options, f"--user-data-dir={tmp_path}/profile", "--virtual-time-budget=4000", "--dump-dom"]
    try:
        done = subprocess.run(
            [*command, f"http://127.0.0.1:{server.server_port}/"], capture_output=True, text=True, timeout=120
        )
    finally:
        server.shutdown()
    assert "3 of 3 images measured, worst first" in done.stdout and NAME in done.stdout
