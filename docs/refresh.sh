#!/usr/bin/env bash
# Rewrites what the documentation quotes from the tool: the output of `make run`
# in README.md, the reference pages, and the picture of the report.
# The picture needs chromium; without it, it stays as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
go build -o "$tmp/wattle" ./cmd/wattle
go test -count=1 ./cmd/wattle -run TestExampleIsPinned -update
"$tmp/wattle" simulate -q examples/follow-the-sun.yaml --report "$tmp/report.html" --save "$tmp/run.json" > "$tmp/run.txt"
awk -v out="$tmp/run.txt" '
  /<!-- run:begin -->/ { print; print "```"; 
while ((getline line < out) > 0) print line; print "```"; skip = 1; next }
  /<!-- run:end -->/ { skip = 0 }
  !skip { print }' README.md > "$tmp/README.md"
cp "$tmp/README.md" README.md
go generate ./cmd/wattle/...
if command -v chromium >/dev/null; then
  chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1000,2100 \
    --screenshot="$tmp/report.png" "file://$tmp/report.html" >/dev/null 2>&1
  cp "$tmp/report.png" docs/img/report.png
fi
