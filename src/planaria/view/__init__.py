"""Views of a living run. They know nothing of training but what a caller passes in."""
