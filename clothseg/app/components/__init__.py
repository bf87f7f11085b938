"""The page's own components: Python for the server, HTML, CSS and plain JavaScript for the browser."""
