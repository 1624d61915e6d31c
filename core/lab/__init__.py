"""The laboratory: what fewer bits do to a model."""
