"""The studio: a page in the browser for every run and model, with live training. Loopback only.

The server writes requests into run folders and starts trainings as processes of their own; it never trains itself, so
neither a slow page nor the end of the server touches a training.
"""
