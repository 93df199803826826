"""What is in a dataset: profiles, screening against benchmarks, and data cards.

`Dataset.profile`, `Dataset.screen` and `Dataset.card` return what is defined here.
"""
