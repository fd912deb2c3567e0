"""Short YAML diffs from a task's defaults."""
