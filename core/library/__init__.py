"""What is on this computer: source models and .rkllm files, each with where it came from."""
