"""The checker of annotations that `conftest.py` hooks in: beartype, whole numbers accepted as floats (PEP 484)."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
