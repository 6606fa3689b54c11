"""What every room may ask of the stores (:mod:`cjsm.store.interfaces`) and the back ends that answer."""
