"""What is written for people about a run: README, plots, tables, sheets of pictures."""
