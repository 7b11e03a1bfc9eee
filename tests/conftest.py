"""Tests run kernels in Triton's interpreter. On a GPU machine, TRITON_INTERPRET=0 runs them on the device instead."""

import os

from hypothesis import HealthCheck, settings

os.environ.setdefault("TRITON_INTERPRET", "1")

# A busy machine is slow; that is no defect of the code under test.
settings.register_profile("seqlab", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("seqlab")
