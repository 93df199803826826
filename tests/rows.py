"""Small sets of training rows for tests: short messages routed to a label."""

from __future__ import annotations

SYSTEM = "Route the message. Answer with one word."
OPENINGS = ("Hello,", "Hi there,", "Good morning,", "Please help:", "Sorry to ask,", "Quick one:")
TOPICS = {
    "delivery": ("my parcel never came", "the driver left the box outside", "where is my package"),
    "billing": ("I was charged twice", "the invoice is wrong", "my card was declined"),
    "account": ("I cannot log in", "reset my password", "change my email address"),
}


def row(text: str, label: str, *, system: str | None = SYSTEM) -> dict[str, object]:
    """Make one chat row."""
    messages = [{"role": "user", "content": text}, {"role": "assistant", "content": label}]
    opening = [{"role": "system", "content": system}] if system is not None else []
    return {"messages": opening + messages}


def routing_rows(count: int = 54) -> list[dict[str, object]]:
    """Make up to 54 rows over three labels, no two equal."""
    return [
        row(f"{opening} {text}", label)
        for opening in OPENINGS
        for label, texts in TOPICS.items()
        for text in texts
    ][:count]
