"""The Hugging Face Hub: search, details, model facts by range request, the resumable download."""
