"""Property tests are judged by their answers, not by the clock of a busy machine."""

from hypothesis import HealthCheck, settings

settings.register_profile("spaces", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("spaces")
