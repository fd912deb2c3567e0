"""Models that come with planaria, by name: `planaria run lizard`, `pl.load("lizard")`. Trained here; see docs/gallery.md."""
