"""How fast btfeeds is, as ratios against other feeds measured in the same run: `python -m benchmarks`."""
