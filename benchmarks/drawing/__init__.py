"""Painters of the pictures that the package keeps as files: creatures to grow, and scenes that stand for photos."""
