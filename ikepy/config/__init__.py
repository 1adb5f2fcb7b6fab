"""What the operator wants: the model, its algorithms, and how it is read."""
