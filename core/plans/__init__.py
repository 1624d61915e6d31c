"""Several steps as one job that is resumed where it stopped."""
