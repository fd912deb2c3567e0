"""What a cell is and does: filters, chance, layout, the rule, wounds. No files, no training."""
