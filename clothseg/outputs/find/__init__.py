"""Find items by words: "red dress", "black shoes of the person on the left", "everything but the hair"."""
