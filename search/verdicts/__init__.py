"""Verdicts on a finished study, in words, each with its evidence and what follows from it.

After Google's deep-learning tuning playbook (Godbole, Dahl, Gilmer, Shallue and Nado, 2023).
"""
