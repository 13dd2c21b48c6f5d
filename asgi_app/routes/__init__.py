"""REST and pages, a file for each noun. Each function returns a blueprint for the panel it gets."""
