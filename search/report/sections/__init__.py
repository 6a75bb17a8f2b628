"""Sections of the page, one a file. Each is a function of the report, and empty where there is nothing to show."""
