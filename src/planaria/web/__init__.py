"""JavaScript: the engines, a world, the player that page, studio and notebook share, and the studio's pages."""
