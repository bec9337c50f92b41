"""What the documentation site needs beyond Markdown: links into the repository, diagrams, the recording of the demo."""
