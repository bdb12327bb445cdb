"""Programs that run as a subprocess, and the code that starts and watches them.

`process`, `rundir`, `lifecycle`, `basemodel`, `hardware` and `failures` need nothing but the
standard library, so that the rest of the package may import them. Every other module here imports
torch and its family when it is imported; only the programs (`train`, `chat`) do that.
"""
