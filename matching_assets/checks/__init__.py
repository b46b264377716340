"""The asset checks, a module for each stage. Each says what it guards and what to do when it fails.

ERROR blocks what follows in the run and rings; WARN rings and blocks nothing. A check takes the frames or paths of its
asset, measures one thing and returns a `verdict`. Checks on daily assets have the asset's partitions.
"""
