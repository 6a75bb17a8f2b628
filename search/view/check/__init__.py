"""A report about a data set, shown: in a terminal, as a page, as JSON."""
