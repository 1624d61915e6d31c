"""Making .rkllm files: toolkits, recipes, conversion jobs, and telling what a file is."""
