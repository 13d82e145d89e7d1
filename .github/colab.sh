#!/usr/bin/env bash
# Inside the Colab runtime image: what a lesson's set-up cell installs, then every lesson in the smoke profile.
set -euo pipefail
versions() { python3 -c 'import numpy, torch; print(numpy.__version__, torch.__version__)'; }
before=$(versions)

# What the lessons themselves install, with this checkout in place of the address.
grep -hoE 'git\+https://github\.com/[^"]+' notebooks/*.py | sort -u | while read -r _ others; do
  # shellcheck disable=SC2086 # the words are packages
  python3 -m pip install --quiet --no-deps --editable . $others
done
after=$(versions)
[ "$before" = "$after" ] || { echo "the set-up changed numpy and torch: $before to $after" >&2; exit 1; }

# What runs the notebooks from outside; Colab's own kernel does that there.
python3 -m pip install --quiet papermill psutil
python3 -m simplebits.run.cli run --profile smoke
