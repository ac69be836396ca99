"""What is done to a lab of regions. Importing it fills the table."""

from . import clocks, moves, network, processes, storage  # noqa: F401  (each adds its rows)
from .table import NEMESES, Fault, able

__all__ = ["NEMESES", "Fault", "able"]
