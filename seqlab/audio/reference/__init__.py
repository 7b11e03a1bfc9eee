"""Sound in NumPy, float64: the equations of the chapter, one function each. No torch."""
