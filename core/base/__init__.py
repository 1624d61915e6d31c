"""What every room stands on: errors, events, paths, settings, database, files, locks, units, log."""
