"""One room for each built-in provider; the registry names them by string."""
