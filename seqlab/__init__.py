"""seqlab: sequence models four times over (equation, NumPy, PyTorch, GPU kernel).

Importing this package is cheap. Each room (`seqlab.text`, `seqlab.recurrent`, ...) imports what it needs.
"""

__version__ = "0.1.0"
