"""Model repositories, read by the servers' own parser and engines; no server can be had in a test."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from deploy_models import CONFIG, images, logits_of, needs

from paddleisa.deploy.export.export import export_model
from paddleisa.errors import UsageError

pytestmark = pytest.mark.parametrize("engine", [needs("openvino")])
TYPES = {"TYPE_FP32": ("tensor(float)", np.float32), "TYPE_INT32": ("tensor(int32)", np.int32)}


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    """Class ids of images of a free number and width and a fixed height."""
    folder, options = tmp_path_factory.mktemp("serving") / "e", {"input_shape": (-1, 3, 32, -1)}
    return export_model(model, CONFIG, folder, formats=["onnx", "openvino"], serving=("triton", "ovms"), **options)


def triton_config(file: Path):
    """``config.pbtxt`` as Triton's own message; its module alone, for the client around it wants gRPC."""
    text_format = pytest.importorskip("google.protobuf.text_format")
    client = importlib.util.find_spec("tritonclient")
    if client is None:
        pytest.skip("tritonclient is not installed")
    source = Path(client.submodule_search_locations[0]) / "grpc/model_config_pb2.py"
    spec = importlib.util.spec_from_file_location("triton_model_config_pb2", source)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, text_format.Parse(file.read_text(encoding="utf-8"), module.ModelConfig())


def sizes(shape) -> list[int]:
    """-1 for what ONNX Runtime calls by a name."""
    return [size if isinstance(size, int) else -1 for size in shape]


def test_tritons_parser_reads_the_names_shapes_and_types_of_the_onnx_file(engine, exported):
    onnxruntime = pytest.importorskip("onnxruntime")
    folder = exported.folder / "triton/small_onnx"
    module, config = triton_config(folder / "config.pbtxt")
    session = onnxruntime.InferenceSession(str(folder / "1/model.onnx"), providers=["CPUExecutionProvider"])
    assert (config.name, config.backend, config.max_batch_size) == ("small_onnx", "onnxruntime", 0)
    assert {file.name for file in folder.iterdir()} == {"config.pbtxt", "1"}
    for ours, theirs in ((config.input, session.get_inputs()), (config.output, session.get_outputs())):
        assert [tensor.name for tensor in ours] == [tensor.name for tensor in theirs]
        assert [list(tensor.dims) for tensor in ours] == [sizes(tensor.shape) for tensor in theirs]
        kinds = [TYPES[module.DataType.Name(tensor.data_type)][0] for tensor in ours]
        assert kinds == [tensor.type for tensor in theirs]
    assert (list(config.input[0].dims), list(config.output[0].dims)) == ([-1, 3, 32, -1], [-1, 32, -1])
    assert session.run(["mask"], {"x": images(2, 3, 32, 48)})[0].shape == (2, 32, 48)


def test_tritons_parser_reads_the_names_shapes_and_types_of_the_openvino_file(engine, exported):
    from paddleisa.deploy.export.openvino_core import core

    folder = exported.folder / "triton/small_openvino"
    module, config = triton_config(folder / "config.pbtxt")
    network = core().read_model(folder / "1/model.xml")
    assert (config.name, config.backend, config.max_batch_size) == ("small_openvino", "openvino", 0)
    assert [module.ModelInstanceGroup.Kind.Name(group.kind) for group in config.instance_group] == ["KIND_CPU"]
    for ours, theirs in ((config.input, network.inputs), (config.output, network.outputs)):
        assert len(ours) == len(theirs) == 1
        assert ours[0].name in theirs[0].get_names()
        shape = [size.get_length() if size.is_static else -1 for size in theirs[0].partial_shape]
        assert list(ours[0].dims) == shape
        assert TYPES[module.DataType.Name(ours[0].data_type)][1] == theirs[0].element_type.to_dtype()


def test_the_model_servers_engine_computes_what_its_configuration_points_to(engine, exported, model):
    from paddleisa.deploy.export.openvino_core import core

    folder = exported.folder / "ovms"
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert list(config) == ["model_config_list"]
    assert [set(entry) for entry in config["model_config_list"]] == [{"config"}] * 2
    x = images(1, 3, 32, 48)
    results = []
    for entry in (entry["config"] for entry in config["model_config_list"]):
        assert set(entry) == {"name", "base_path", "plugin_config"}  # of its schema, which refuses any other
        base = Path(entry["base_path"])
        assert base.parent == Path("/models") and base.name == entry["name"]
        (version,) = (folder / base.name).iterdir()
        assert version.name == "1"
        (graph,) = [file for file in version.iterdir() if file.suffix in (".xml", ".onnx")]
        results.append(core().compile_model(core().read_model(graph), "CPU", entry["plugin_config"])([x])[0])
    expected = logits_of(model, x).argmax(1)
    assert [mask.dtype for mask in results] == [np.int32] * 2 and expected.shape == (1, 32, 48)
    assert all(np.mean(mask == expected) >= 0.999 for mask in results)


def test_the_description_lists_the_files_of_the_repositories(engine, exported):
    about = yaml.safe_load((exported.folder / "deploy.yaml").read_text())
    for server in ("triton", "ovms"):
        there = {file for file in (exported.folder / server).rglob("*") if file.is_file()}
        assert {exported.folder / name for name in about["serving"][server]} == there == set(exported.serving[server])


def test_an_export_with_repositories_is_replaced_as_one_but_not_with_other_files_in_it(engine, quick, model, tmp_path):
    folder = export_model(model, CONFIG, tmp_path / "e", formats=["onnx"], serving=["ovms"]).folder
    (folder / "ovms/mine.txt").write_text("kept")
    with pytest.raises(UsageError, match=r"no earlier export \(ovms/mine.txt\)"):
        export_model(model, CONFIG, folder, formats=["paddle"])
    assert (folder / "ovms/mine.txt").read_text() == "kept"
    (folder / "ovms/mine.txt").unlink()
    export_model(model, CONFIG, folder, formats=["paddle"])
    assert sorted(path.name for path in folder.iterdir()) == ["deploy.yaml", "model.paddle", "numbers.paddle"]


def test_what_a_server_does_not_take_is_told(engine, quick, model, tmp_path):
    said = []
    formats = ["paddle", "onnx"]
    export_model(model, CONFIG, tmp_path / "e", formats=formats, serving=["ovms"], say=said.append)
    assert "OpenVINO Model Server does not take paddle, which its repository goes without" in said
    for options, message in (
        ({"formats": ["paddle"], "serving": ["triton"]}, "NVIDIA Triton does not take the format paddle.*onnx or open"),
        ({"formats": ["onnx"], "serving": ["tritan"]}, "Did you mean 'triton'"),
    ):
        with pytest.raises(UsageError, match=message):
            export_model(model, CONFIG, tmp_path / "f", **options)
