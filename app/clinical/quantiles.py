"""Quantiles that a published rule needs, as printed in its tables."""

from typing import Final

# Two-sided, 95 %, for 1 to 30 degrees of freedom. Source: any table of Student's distribution,
# such as NIST/SEMATECH e-Handbook of Statistical Methods, section 1.3.6.7.2.
_T_95: Final = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


def student_t_95(freedom: int) -> float:
    """The two-sided 95 % quantile; beyond 30 degrees of freedom that of 30, which is wider.

    Raises: ValueError for less than one degree of freedom.
    """
    if freedom < 1:
        raise ValueError("there must be at least one degree of freedom")
    return _T_95[min(freedom, len(_T_95)) - 1]
