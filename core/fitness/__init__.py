"""The one judge: a file against a board, from whatever was examined of both."""
