"""The checker of annotations that `conftest.py` hooks into the package: beartype, with whole numbers accepted as floats (PEP 484)."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
