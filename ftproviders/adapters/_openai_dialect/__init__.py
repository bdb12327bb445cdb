"""What OpenAI's fine-tuning API says and takes, wherever it is spoken.

Pure functions, and one class that drives a ready SDK client. Who is called, with which key and at
which address, is the business of the provider rooms ``openai`` and ``azure_openai``.
"""
