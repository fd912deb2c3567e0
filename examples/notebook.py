# %% [markdown]
# # An automaton in a notebook
#
# Open this file as a notebook (JupyterLab with jupytext, or VS Code), or turn it into one:
# `jupytext --to ipynb notebook.py`. A model shows itself: alive where `planaria[notebook]` is installed, to be erased
# and painted with the mouse; as a film of its healing where it is not.

# %%
from IPython.display import display

import planaria as pl
from planaria.view import notebook

pl.load("lizard")

# %% [markdown]
# It is a pair, `rule, layout = pl.load(...)`, and knows what else belongs to it.

# %%
lizard = pl.load("lizard")
lizard.film(steps=200, every=4, erase={100: "left"}, seed=2)

# %% [markdown]
# A world is a life that you change by hand. It shows itself as it is now.

# %%
world = lizard.world(size=(60, 90), seed=5)
world.tick(120)
display(world)
world.erase("circle(45,30,9)")
display(world)
world.tick(80)
display(world)

# %% [markdown]
# The player takes a grid, a seed and a speed, and new weights while it lives: here those of another model of the same
# shape, so the lizard's cells grow on as a heart's.

# %%
if notebook.interactive():
    player = lizard.player(size=48, seed=3, speed=30)
    display(player)
    player.weights = notebook.weights_of(pl.load("heart").rule)

# %% [markdown]
# One file that does the same in anybody's browser:

# %%
lizard.export("lizard.html", title="A lizard that heals")
