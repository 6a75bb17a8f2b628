"""Diagnoses of a study's trials added up: in which region of the space each kind gathers."""
