"""An emulator of Azure OpenAI: its data plane, and Azure Resource Manager over TLS."""
