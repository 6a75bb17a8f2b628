"""A study as one page that needs no network: what it found, in words, charts and tables."""
