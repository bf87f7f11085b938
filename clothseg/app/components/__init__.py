"""Components of our own for the page: Python for the server's side, HTML, CSS and plain JavaScript for the browser's."""
