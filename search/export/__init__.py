"""A study's winner, taken away: as a folder that needs neither the study nor the store."""
