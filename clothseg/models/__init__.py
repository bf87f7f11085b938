"""Models: the Hub, loading and checking, preprocessing, the clothseg-lite architecture, the folded decode head."""
