"""One phone call without I/O: events in, commands out."""
