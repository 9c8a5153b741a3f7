"""Pure rules: working time, clocks and the definitions that they are computed with. No I/O."""
