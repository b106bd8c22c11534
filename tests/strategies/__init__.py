"""Projects, data and questions for hypothesis to draw."""
