"""``python -m ftproviders``: the command line."""

from ftproviders.cli.main import run

if __name__ == "__main__":
    run()
