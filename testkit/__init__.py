"""What tests, benchmarks and the demo run on: README.md says what each part is for."""
