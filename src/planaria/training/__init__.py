"""Training of a rule: the loop, its pool, its checkpoints, its guardian. Knows no window and prints nothing."""
