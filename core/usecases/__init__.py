"""What a front end asks for in one call; the window and the command line share it."""
