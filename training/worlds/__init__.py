"""Generated, executable worlds: servers with state, tasks phrased in English, reference programs and checks."""
