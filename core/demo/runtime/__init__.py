"""The stand-in runtime."""
