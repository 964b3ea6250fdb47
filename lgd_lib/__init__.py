"""Local gradient descent with many local steps in overparameterised models."""
