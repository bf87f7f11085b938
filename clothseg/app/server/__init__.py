"""What the app needs beside Gradio: limits of requests, temporary storage, clean-up of state, shutdown."""
