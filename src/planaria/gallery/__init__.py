"""Models that come with planaria: `planaria run lizard`, `pl.load("lizard")`. docs/gallery.md tells of each."""
