"""A study's winner as a model of MLflow's: registered under the study's name, loaded and served by MLflow alone."""
