"""What the pages watch: the core's state as observable lists on the main thread."""
