"""Putting models on boards: plan, store, atomic switch."""
