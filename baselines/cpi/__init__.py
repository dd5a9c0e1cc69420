"""CPI, the paper's strongest rival: faces compared by what a network makes of them in every pose."""
