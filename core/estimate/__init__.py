"""What a model will need on a board, before any download: shapes, memory, speed and fit."""
