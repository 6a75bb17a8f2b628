"""What becomes of BatchNorm's statistics when a network moves to other images."""

from trainables.batchnorm.choice import BatchNorm
from trainables.batchnorm.counting_once import count_once
from trainables.batchnorm.statistics import norms_of, re_estimate, statistics_kept

__all__ = ["BatchNorm", "count_once", "norms_of", "re_estimate", "statistics_kept"]
