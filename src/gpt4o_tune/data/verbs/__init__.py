"""The verbs of `Dataset`, a module for each stage of the work; each is a few lines that call the room's parts."""
