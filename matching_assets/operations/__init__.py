"""The operations page: what on-call reads first. `outlook` gathers, `trends` draws, `page` writes one static file."""
