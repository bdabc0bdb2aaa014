"""One image's way: views, forward passes, lazy logits, mask."""
