"""The page at `/` that shows the server's jobs, models and files to a person, and lets them chat."""
