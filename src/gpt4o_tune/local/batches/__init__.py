"""Batches: requests from a file, answered one after the other by a process of low priority."""
