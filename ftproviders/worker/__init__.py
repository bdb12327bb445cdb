"""Programs that run as a subprocess, and the code that starts and watches them.

`process`, `rundir`, `lifecycle`, `launching`, `basemodel`, `hardware` and `failures` need nothing
but the standard library, so that the rest of the package may import them; the same goes for what a
deployment is made of but `openai_server`: `deploydir`, `serve` and `supervisor` (the program that
stays), `prepare` and `served` (its children), `engine`, `guard`, `asking`, `probe`, `merge`. Every
other module here imports torch and its family when it is imported; only the programs (`train`,
`rank`, `chat`) do that.
"""
