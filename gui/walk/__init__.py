"""The window driving itself: the demo's walk, its pictures, and the watch over the event loop."""
