"""What to start, what to go on with, what to stop: pure code that knows neither Ray nor MLflow."""
