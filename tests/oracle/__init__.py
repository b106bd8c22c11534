"""The oracle: the language read aloud, in plain Python over lists of rows. Slow, and shares nothing with the engine."""
