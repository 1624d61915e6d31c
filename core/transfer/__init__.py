"""One file onto a board, as fast as the line and as safe as a rename."""
