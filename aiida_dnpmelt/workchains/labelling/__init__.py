"""Work chains that label frames: one contract, whatever computes the labels.

Inputs: the namespace ``frames`` (trajectories with ``cells``, ``positions``, ``temperatures`` and the attribute
``phase``) and ``settings``. Outputs: the namespace ``frames`` of labelled frames under the same names, and ``report``
with the counts ``expected``, ``labelled``, ``not_finite``, ``large_force`` and ``missing``.
"""
