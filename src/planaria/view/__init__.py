"""Ways to look at a living run. Knows nothing of training but what a caller hands over."""
