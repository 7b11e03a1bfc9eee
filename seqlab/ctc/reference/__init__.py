"""CTC in NumPy, float64, for one sequence: the equations of the chapter, one function each. No torch."""
