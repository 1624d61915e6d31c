"""Pure arithmetic of fewer bits: levels, affine mapping, error measures, a forward pass."""
