"""Losses: measures of the difference between pictures. Every loss is per sample and named."""
