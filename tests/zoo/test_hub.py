"""Weights by a name on the Hugging Face hub, from a server on this machine that answers as the hub does."""

from __future__ import annotations

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

import paddleisa
from paddleisa.config import check, read_config
from paddleisa.errors import DownloadError
from paddleisa.zoo.download.hub import hub_file

pytest.importorskip("huggingface_hub")
NAME = "hf-hub:timm/resnet18d.mine"


class Hub:
    """Answers HEAD and GET; ``files`` holds {path: bytes}, ``missing`` is the hub's word for any other path."""

    def __init__(self):
        self.files, self.missing, self.asked = {}, "EntryNotFound", []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                hub.asked.append(self.path)
                body = hub.files.get(self.path)
                self.send_response(404 if body is None else 200)
                if body is None:
                    self.send_header("X-Error-Code", hub.missing)
                else:
                    self.send_header("ETag", f'"{hash(body) & (1 << 64) - 1:040x}"')
                    self.send_header("X-Repo-Commit", "b" * 40)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body or b"")

            do_HEAD = do_GET  # noqa: N815, the library's name

            def log_message(self, *args):
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def hub(monkeypatch):
    hub = Hub()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{hub.server.server_port}")
    yield hub
    hub.server.shutdown()
    hub.server.server_close()


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_either_kind_of_file_is_kept_under_our_home_and_asked_for_whole_once(hub, own_home, file):
    hub.files[f"/timm/resnet18d.mine/resolve/main/{file}"] = b"weights"
    path = hub_file(NAME)
    assert path.read_bytes() == b"weights" and own_home in path.parents
    first = len(hub.asked)
    assert hub_file(NAME) == path
    assert len(hub.asked) - first <= 2  # whether it has changed, for each kind of file


def test_a_backbone_starts_from_a_name_on_the_hub(hub, tmp_path):
    from paddleisa.training.start import load_initial

    config = paddleisa.load_config("isanet_resnet18_os8_scenes_128x128_200")
    theirs = paddleisa.build_model(config).backbone.state_dict()
    paddleisa.save_weights({k: np.full(v.shape, 0.5, "float32") for k, v in theirs.items()}, tmp_path / "b.safetensors")
    hub.files["/timm/resnet18d.mine/resolve/main/model.safetensors"] = (tmp_path / "b.safetensors").read_bytes()
    model = paddleisa.build_model(config)
    load_initial(model, {"backbone": {"pretrained": NAME}})
    assert all((value.numpy() == 0.5).all() for value in model.backbone.state_dict().values())


def test_a_name_on_the_hub_passes_the_check_of_a_config(hub):
    opts = [f"model.backbone.pretrained={NAME}"]
    check(read_config("isanet_resnet18_os8_scenes_128x128_200", opts=opts), "train")
    assert hub.asked == []  # only a training downloads


@pytest.mark.parametrize(
    ("missing", "message"),
    [("RepoNotFound", "there is no such repository on the hub"), ("EntryNotFound", "holds none of model.safetensors")],
)
def test_what_is_not_there_is_told(hub, missing, message):
    hub.missing = missing
    with pytest.raises(DownloadError, match=f"{NAME}: .*{message}"):
        hub_file(NAME)


def test_a_name_that_the_hub_cannot_have_is_told(hub):
    with pytest.raises(DownloadError, match="hf-hub:a b/c/d: cannot be downloaded"):
        hub_file("hf-hub:a b/c/d")


def test_offline_nothing_is_asked_and_what_was_downloaded_is_found(hub, monkeypatch):
    monkeypatch.setenv("PADDLEISA_OFFLINE", "1")
    with pytest.raises(DownloadError, match="is not on this machine, and no request is made"):
        hub_file(NAME)
    assert hub.asked == []
    monkeypatch.setenv("PADDLEISA_OFFLINE", "0")
    hub.files["/timm/resnet18d.mine/resolve/main/model.safetensors"] = b"weights"
    path = hub_file(NAME)
    hub.asked.clear()
    monkeypatch.setenv("PADDLEISA_OFFLINE", "1")
    assert hub_file(NAME) == path and hub.asked == []


def test_without_the_librarys_package_the_pip_command_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DownloadError, match="library is not installed. Run pip install huggingface_hub"):
        hub_file(NAME)
