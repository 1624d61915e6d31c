"""Jobs: everything that runs or ran, whichever process started it."""
