"""Tests run kernels in Triton's interpreter. On a GPU machine, TRITON_INTERPRET=0 runs them on the device instead."""

import os

os.environ.setdefault("TRITON_INTERPRET", "1")
