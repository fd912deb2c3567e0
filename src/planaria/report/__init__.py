"""Reports on a run for people: README, plots, tables, sheets of pictures."""
