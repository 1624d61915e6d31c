"""The maker's facts: platforms, dtypes, toolkit and runtime releases, architectures, boards; data with sources."""
