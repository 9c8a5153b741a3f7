"""The benchmark: every case starts its own platform and stands beside its own limit, measured in the same run."""
