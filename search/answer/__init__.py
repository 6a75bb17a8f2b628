"""What a study found: which recipe, how much better than the ordinary one, and how sure that is."""
