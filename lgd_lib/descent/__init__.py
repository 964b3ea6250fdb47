"""Finitely many gradient steps in coordinates of a node's samples: exact, compiled, stochastic, very long."""
