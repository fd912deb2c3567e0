"""The playing window and terminal: one player, its keys, its files and its recorder."""
