"""Kinds of diagnoses, one idea a file."""
