"""The program measured against a baseline and against itself, on data that is not part of the project."""
