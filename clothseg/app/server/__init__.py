"""Server parts that Gradio lacks: request limits, temporary storage, clean-up of state, shutdown."""
