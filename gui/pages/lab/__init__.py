"""The Lab page: what fewer bits do to a model."""
