"""Stage 7, watch: one persistent `sh -s` per board, one line in and one frame out per tick."""
