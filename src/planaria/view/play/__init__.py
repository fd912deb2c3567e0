"""The playing window and terminal: one player, its keys, what it opens, keeps and records."""
