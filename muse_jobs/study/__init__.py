"""The study: the paper's experiments on public Thai-English data, in one command."""
