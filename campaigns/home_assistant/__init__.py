"""A real Home Assistant, a broker and a panel: what people have at home."""
