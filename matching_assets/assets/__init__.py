"""The assets, a module for each stage, in the order of the UI's groups.

An asset takes frames, or paths of folders, calls one function of the domain, returns and reports. What it returns is
stored by the IO manager: frames as Iceberg tables (`io_manager`), components and documents as content-addressed
folders (`folder_io_manager`).
"""
