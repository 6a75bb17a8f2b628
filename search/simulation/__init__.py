"""Searches on simulated time: the same decisions as a study's, on curves that are known beforehand."""

from search.simulation.simulate import Simulation, simulate

__all__ = ["Simulation", "simulate"]
