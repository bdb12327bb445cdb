"""One Python API for fine-tuning language models wherever they are tuned."""
