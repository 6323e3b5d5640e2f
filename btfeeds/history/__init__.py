"""From HTTP to bars: spans, requests and pages."""
