"""The lab: a real Kubernetes cluster on this machine, made of what Go modules, PyPI and Debian offer.

For development only; it is no part of the built collection. `python -m lab up` from the repository root starts it.
"""
