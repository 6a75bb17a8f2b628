"""Studies on a cluster, submitted from anywhere."""
