"""Work that takes long: job folders, one state machine, lanes, supervisor and worker processes."""
