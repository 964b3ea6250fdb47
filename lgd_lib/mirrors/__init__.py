"""Mirror flows and diagonal networks: potentials, what nodes do, averages, reference and certificate."""
