"""What may become of a recipe, from what is known of others."""
