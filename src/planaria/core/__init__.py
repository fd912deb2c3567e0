"""Core of the automaton: filters, random numbers, layout, rule, damage. No files, no training."""
