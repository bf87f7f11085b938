"""The Gradio app: page, endpoints, MCP tools, languages."""
