"""Commands about effects: policies judged from logs, experiments."""
