"""REST and pages: one file a noun. Each function makes a blueprint that asks the panel it is given."""
