"""The workers' side of the job protocol: one file without any import of ours, also put on a foreign Python's path."""
