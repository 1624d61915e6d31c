"""Stage 5, run: start and stop a runtime on a board, talk to it through the SSH connection."""
