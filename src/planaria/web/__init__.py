"""The player: one JavaScript engine, one page. Studio, export and notebook share it."""
