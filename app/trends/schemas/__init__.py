"""What crosses the wire about trends, by subject.

Pages of our own read trajectories and the caseload, and take those from here.
"""

from app.trends.schemas.caseload import CaseloadOut, CaseOut
from app.trends.schemas.trajectory import TrajectoryOut

__all__ = ["CaseOut", "CaseloadOut", "TrajectoryOut"]
