"""The pages of the window, one package each, built on first visit."""
