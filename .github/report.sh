#!/usr/bin/env bash
# Open an issue named $TITLE that points to the run $RUN; if it is open already, add to it.
set -euo pipefail
known=$(gh issue list --state open --search "in:title \"$TITLE\"" --json number --jq '.[0].number // empty')
if [ -n "$known" ]; then
  gh issue comment "$known" --body "Again: $RUN"
else
  gh issue create --title "$TITLE" --body "Found by a scheduled check: $RUN"
fi
