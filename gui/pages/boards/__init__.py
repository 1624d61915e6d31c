"""Boards: cards with live figures; models are dropped onto them."""
