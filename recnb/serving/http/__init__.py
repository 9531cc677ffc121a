"""Artefacts answered over HTTP: routes, the door, queues, processes."""
