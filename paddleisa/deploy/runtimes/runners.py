"""Exported files as functions: numpy images in, numpy output out. One class for each kind of file.

Each computes on as many threads as this process may use (``environment.threads``), on the device that is said.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from paddleisa.deploy.packages import require
from paddleisa.deploy.runtimes.openvino_core import core
from paddleisa.errors import DeployError
from paddleisa.utils.environment import threads


class PaddleRunner:
    """Paddle Inference.

    Args:
        files: graph and parameters, as ``paddle_export.paddle_files`` gives them.
        device: ``cpu`` or ``gpu:N``.
        onednn: compute on CPU with oneDNN, which is 2.5 times faster than without; for the static form ``paddle``
            only, see ``static_form.py``.
        tensorrt: let TensorRT compute what it can on a GPU; where `tensorrt_is_possible`. Never run: no GPU was there.
        precision: ``fp32``; on a GPU also ``bf16``. Never run either.
    """

    def __init__(
        self,
        files: list[Path],
        device: str = "cpu",
        onednn: bool = True,
        tensorrt: bool = False,
        precision: str = "fp32",
    ):
        from paddle import inference

        config = inference.Config(*map(str, files))
        config.disable_glog_info()
        if device.startswith("gpu"):
            kind = inference.PrecisionType.Bfloat16 if precision == "bf16" else inference.PrecisionType.Float32
            config.enable_use_gpu(256, int(device.partition(":")[2] or 0), kind)
            if tensorrt:
                # The ranges of sizes are learned from the images that come.
                config.enable_tensorrt_engine(workspace_size=1 << 30, precision_mode=kind, use_calib_mode=False)
                config.enable_tuned_tensorrt_dynamic_shape()
        else:
            config.disable_gpu()
            config.set_cpu_math_library_num_threads(threads())
            if onednn:
                config.enable_mkldnn()
            elif hasattr(config, "disable_mkldnn"):
                config.disable_mkldnn()
        # Paddle 3 looks for the result of a pass that it does not run on CPU, and fails.
        config.enable_memory_optim(files[0].suffix == ".pdmodel")
        self._predictor = inference.create_predictor(config)
        self._input = self._predictor.get_input_handle(self._predictor.get_input_names()[0])
        self._output = self._predictor.get_output_handle(self._predictor.get_output_names()[0])

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """(N, 3, H, W) float32 -> the file's output, an array of its own."""
        self._input.reshape(images.shape)
        self._input.copy_from_cpu(np.ascontiguousarray(images))
        self._predictor.run()
        return self._output.copy_to_cpu()


def tensorrt_is_possible(files: list[Path], device: str) -> bool:
    """Whether this Paddle was built with TensorRT and can use it for such files: those of Paddle 2.6."""
    from paddle import inference

    built = any(inference.get_trt_compile_version())
    return device.startswith("gpu") and built and files[0].suffix == ".pdmodel"


class OnnxRunner:
    """ONNX Runtime on CPU.

    Raises:
        DeployError: the package is missing.
    """

    def __init__(self, file: Path):
        require(("onnxruntime",), "ONNX Runtime", "onnxruntime")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads()
        # Waiting threads would otherwise spin, on the cores that make the mask of the image before.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3  # errors
        self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """(N, 3, H, W) float32 -> the file's output, an array of its own."""
        return self._session.run(None, {self._input: images})[0]


class OpenVinoRunner:
    """OpenVINO on CPU.

    Args:
        file: ``model.xml``, its ``model.bin`` beside it.
        precision: ``fp32``, or ``bf16`` where the processor has it; ``int8`` of a file that `quantise` wrote, whose
            other operations stay in float32.

    Raises:
        DeployError: the package is missing, or the processor has no bf16.
    """

    def __init__(self, file: Path, precision: str = "fp32"):
        require(("openvino",), "OpenVINO", "openvino")
        if precision == "bf16" and "BF16" not in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise DeployError(
                "this processor has no bfloat16 arithmetic", where="--precision", fix="Take --precision fp32"
            )
        settings = {
            "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16", "int8": "f32"}[precision],
            "INFERENCE_NUM_THREADS": threads(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._request = core().compile_model(core().read_model(file), "CPU", settings).create_infer_request()

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """(N, 3, H, W) float32 -> the file's output, an array of its own."""
        return next(iter(self._request.infer([images], share_inputs=True).values()))
