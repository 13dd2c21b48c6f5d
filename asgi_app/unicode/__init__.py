"""Names that look alike, by the tables of Unicode, and text that a terminal would obey."""
