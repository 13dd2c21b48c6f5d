"""Names that look alike, by the tables of Unicode."""
