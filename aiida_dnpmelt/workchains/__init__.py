"""Work chains: they decide what runs next and compute nothing themselves."""
