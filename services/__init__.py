"""Valor's services, one folder each; `chassis` is what they share."""
