"""The mask of one image by one set of settings."""

from paddleisa.inference.masks import predict_masks


def predict_mask(network, image, geometry, settings, align_corners=False):
    return predict_masks(network, image, geometry, [settings], align_corners)[0]
