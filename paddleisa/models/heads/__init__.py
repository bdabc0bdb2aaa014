"""Heads: from a backbone's feature maps to class scores. ``base.py`` is the contract."""
