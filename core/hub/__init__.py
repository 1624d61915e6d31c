"""Hubs: search, details, model facts by range request, the resumable download; one adapter for each hub."""
