"""The front ends' door: `gui.main` decides between the window and the command line without importing Qt."""
