"""The page of all ISA results: complete, and its structures are those of the networks that are built."""

import pytest
from isa_results import PAGE, STRUCTURES, page, result_rows, structure_rows

import paddleisa
from paddleisa.config import shipped_configs
from paddleisa.zoo.catalogue.catalogue import load_catalogue


@pytest.fixture(scope="module")
def rows():
    header, *rows = result_rows()
    return {row[1].strip("`"): dict(zip(header, row, strict=True)) for row in rows}


@pytest.fixture(scope="module")
def structures():
    (_, *networks), *lines = structure_rows()
    return {name: {line[0]: line[1 + i] for line in lines} for i, name in enumerate(networks)}


def test_the_page_is_what_the_code_says():
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python scripts/isa_results.py"


def test_every_published_isa_and_every_recipe_has_one_line(rows):
    published = {entry.name for entry in load_catalogue() if entry.family != "paddleisa"}
    recipes = {n for n, path in shipped_configs().items() if path.parent.name == "openseg_isanet"}
    assert set(rows) == published | recipes
    assert len(published) == 4 + 16 + 6 + 2


def test_a_published_line_has_score_link_and_says_that_nobody_loaded_it(rows):
    row = rows["isanet_resnet101os8_cityscapes"]
    assert (row["mIoU"], row["of"], row["data"]) == ("80.58", "SSSegmentation", "Cityscapes")
    assert row["weights"].endswith("isanet_resnet101os8_cityscapes.pth), never loaded here")
    assert rows["isanet_resnet50_os8_cityscapes_769x769_80k"]["ms+flip"] == (
        "79.52 (paddleseg-2021), 79.84 (paddleseg-2023)"
    )


def test_a_recipe_has_no_score(rows):
    row = rows["isanet_hrnet_w48_lip_473x473_100k"]
    assert (row["mIoU"], row["images"], row["iterations"]) == ("not known", "32", "100000")


def test_no_line_of_the_comparison_is_the_same_everywhere(structures):
    for line in next(iter(structures.values())):
        assert len({values[line] for values in structures.values()}) > 1, line


@pytest.mark.parametrize(
    ("network", "kernel", "bias", "slope", "align", "stem"),
    [  # from the facts of each lineage, not from its config
        ("PaddleSeg", 1, True, 0.0, False, 32),
        ("SSSegmentation", 3, False, 0.0, False, 32),
        ("authors' ISANet", 1, False, 0.01, True, 64),
    ],
)
def test_what_the_page_says_is_what_is_built(structures, network, kernel, bias, slope, align, stem):
    said = structures[network]
    smaller = ["model.backbone.type=ResNet18_vd"] if network == "PaddleSeg" else ["model.backbone.type=ResNet50_v1c"]
    model = paddleisa.build_model(paddleisa.load_config(STRUCTURES[network], opts=smaller))
    head, yes = model.head, {True: "yes", False: "no"}
    assert said["head: out_kernel"] == str(kernel) == str(head.out_conv._conv.weight.shape[-1])
    assert said["head: value_bias"] == yes[bias] == yes[head.global_relation.value_project.bias is not None]
    assert said["head: activation"] == {0.0: "relu", 0.01: "leaky_relu"}[slope]
    assert head.in_conv._negative_slope == slope
    assert said["model: align_corners"] == yes[align] == yes[model.align_corners]
    assert said["backbone: stem_width"] == str(stem) == str(model.backbone.conv1_1._conv.weight.shape[0])
    first = said["head: joined"] == "context_first"
    assert first == head.context_first
