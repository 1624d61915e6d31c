"""What a model is: its files, headers, configuration, tensors and shape, and what a file's bytes say."""
