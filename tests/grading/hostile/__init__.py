"""The hostile corpus: submissions that cheat, break things or are broken, and what each must earn.

The numbers are those of the catalogue of attacks that the grader was designed against. Every case changes the tiny
assignment's right answers (double 3 points, total 4, softmax 5); what it does not touch must keep its points.
"""
