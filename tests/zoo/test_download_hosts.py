"""Addresses of pages about files: Google Drive with its own pages, Hugging Face, GitHub's releases."""

from __future__ import annotations

import pytest

from paddleisa.errors import DownloadError
from paddleisa.zoo.download.download import fetch
from paddleisa.zoo.download.server import direct
from paddleisa.zoo.download.transfer import Policy

ID = "1Sf9YFjo9dpirojzLev8CfHAc99U6cBwH"
BYTES = f"https://drive.usercontent.google.com/download?id={ID}&export=download"
SCAN = f"""<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head><body>
<form id="download-form" action="https://drive.usercontent.google.com/download" method="get">
<input type="submit" id="uc-download-link" value="Download anyway"/>
<input type="hidden" name="id" value="{ID}"><input type="hidden" name="export" value="download">
<input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="0a&amp;b"></form></body></html>"""
QUOTA = """<html><head><title>Google Drive - Quota exceeded</title></head><body>Sorry, you can't view or download this
file at this time. Too many users have viewed or downloaded this file recently.</body></html>"""
LOGIN = (
    '<html><title>Sign in</title><form action="https://accounts.google.com/x"><input name="id" value="a"></form></html>'
)


@pytest.mark.parametrize(
    "url",
    [
        f"https://drive.google.com/file/d/{ID}/view?usp=sharing",
        f"https://drive.google.com/open?id={ID}",
        f"https://drive.google.com/uc?export=download&id={ID}",
    ],
)
def test_an_address_of_drives_page_becomes_that_of_the_bytes(url):
    assert direct(url) == BYTES


@pytest.mark.parametrize("repository", ["owner/name", "datasets/owner/name"])
def test_an_address_of_hugging_faces_page_becomes_that_of_the_bytes(repository):
    page = f"https://huggingface.co/{repository}/blob/main/folder/blob/model.safetensors"
    assert direct(page) == f"https://huggingface.co/{repository}/resolve/main/folder/blob/model.safetensors"


def test_an_address_of_githubs_releases_is_that_of_the_bytes():
    url = "https://github.com/SegmentationBLWX/modelstore/releases/download/ssseg_isanet/isanet_resnet50os8_voc.pth"
    assert direct(url) == url


@pytest.fixture
def drive(server, tmp_path, monkeypatch):
    """``drive(page, ...)`` downloads the file through what Drive sends for its two addresses."""
    monkeypatch.setenv("PADDLEISA_MIRROR", f"https://drive.usercontent.google.com/={server.root}/")

    def run(first, second=None):
        server.add(f"/download?id={ID}&export=download", first)
        if second is not None:
            server.add(f"/download?id={ID}&export=download&confirm=t&uuid=0a%26b", second)
        policy = Policy(attempts=1, read_timeout=2, sleep=lambda _: None)
        url = f"https://drive.google.com/file/d/{ID}/view"
        return fetch(url, tmp_path / "files", name="model.pth", policy=policy, quiet=True)

    return run


def html(serve, text):
    return serve.status(200, body=text.encode(), content_type="text/html; charset=utf-8")


def test_drives_page_before_a_large_file_is_passed(serve, data, drive):
    assert drive(html(serve, SCAN), serve.file(data)).read_bytes() == data


def test_a_small_file_comes_without_a_page(serve, data, drive):
    assert drive(serve.file(data)).read_bytes() == data


def test_a_page_that_leads_to_itself_ends(serve, drive):
    with pytest.raises(DownloadError, match="more than 10 times"):
        drive(html(serve, SCAN), html(serve, SCAN))


@pytest.mark.parametrize(("page", "said"), [(QUOTA, "quota is used up"), (LOGIN, "needs a login"), ("<html>", "page")])
def test_another_page_of_drives_is_told_apart_and_never_becomes_the_file(serve, drive, tmp_path, page, said):
    with pytest.raises(DownloadError, match=said):
        drive(html(serve, page))
    assert not (tmp_path / "files/model.pth").exists()


def test_a_form_that_leads_to_another_host_is_not_followed(server, serve, drive):
    elsewhere = SCAN.replace("https://drive.usercontent.google.com/download", server.root + "/steal")
    with pytest.raises(DownloadError, match="sends a page"):
        drive(html(serve, elsewhere))
    assert [path for path, _ in server.seen if "steal" in path] == []


def test_a_release_of_github_is_followed_to_its_storage_and_resumed(server, serve, data, tmp_path, monkeypatch):
    monkeypatch.setenv("PADDLEISA_MIRROR", f"https://github.com/={server.root}/")
    server.add(
        "/o/r/releases/download/v1/model.pth", serve.status(302, {"Location": f"{server.root}/storage?sig=a%2Fb"})
    )
    server.add("/storage?sig=a%2Fb", serve.file(data, cuts=[1000]))
    policy = Policy(read_timeout=2, sleep=lambda _: None)
    url = "https://github.com/o/r/releases/download/v1/model.pth"
    assert fetch(url, tmp_path / "files", policy=policy, quiet=True).read_bytes() == data
    assert server.ranges()[-1] == "bytes=1000-"
