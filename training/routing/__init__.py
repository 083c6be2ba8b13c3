"""Routers on recorded outcomes: what is fitted to a training half and measured on the other (`atlas route replay`)."""
