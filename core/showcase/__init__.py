"""The built-in parts set up for a front end: the demo's hub, board and models."""
