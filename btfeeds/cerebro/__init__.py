"""What feeds need to live inside a Cerebro: stamps, time zones, hand-over in bulk, resampling, waiting, leaving."""
