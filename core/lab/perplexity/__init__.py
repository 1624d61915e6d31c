"""What fewer bits do to a model's words."""
