"""What can compute the network: dygraph, Paddle Inference, ONNX Runtime, OpenVINO."""
