"""The asset graph: thin assets, checks and jobs that call `matching` and report metadata, and the command line."""
