#!/usr/bin/env bash
# Builds the Dockerfile for real, without Docker, on a Debian made here, starts the container and asks /health.
# `deploy/check_image.sh [none|cuda|cpu]`: none, the default, leaves speech out and takes minutes less. Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
torch=${1:-none}
port=${CHECK_PORT:-17860}
scratch=${CHECK_SCRATCH:-$(mktemp -d)}
base=localhost/endoscribe-base
image=localhost/endoscribe-check:$torch
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=${STORAGE_DRIVER:-vfs}

if [ "$(id -u)" -ne 0 ]; then
  echo "Only root can build the image here; the files were linted." >&2
  exit 0
fi
if ! command -v buildah >/dev/null || ! command -v debootstrap >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends buildah crun debootstrap
fi

# A stand-in for python:3.11-slim-bookworm, with this machine's certificates and package configuration.
if ! buildah inspect --type image "$base" >/dev/null 2>&1; then
  if [ ! -x "$scratch/root/usr/bin/pip3" ]; then
    debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv,python3-pip bookworm "$scratch/root" >/dev/null
  fi
  ln -sf /usr/bin/python3 "$scratch/root/usr/local/bin/python"
  rm -f "$scratch"/root/usr/lib/python3*/EXTERNALLY-MANAGED
  cp -L /etc/ssl/certs/ca-certificates.crt "$scratch/root/etc/ssl/certs/ca-certificates.crt"
  if [ -f /etc/pip.conf ]; then cp /etc/pip.conf "$scratch/root/etc/pip.conf"; fi
  container=$(buildah from scratch)
  buildah add -q "$container" "$scratch/root" / >/dev/null
  buildah config --env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt "$container"
  buildah commit -q --rm "$container" "$base" >/dev/null
fi

began=$(date +%s)
buildah build --pull-never --format docker --network host --layers=false --build-arg BASE="$base" \
  --build-arg TORCH="$torch" --tag "$image" .
echo "built in $(($(date +%s) - began)) s"

container=$(buildah from --pull-never "$image")
server=
finish() {
  if [ -n "$server" ]; then kill -INT "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  buildah rm "$container" >/dev/null
}
trap finish EXIT
echo "the image holds $(du -smx "$(buildah mount "$container")" | cut -f1) MB"
# As the image is started: buildah itself does not run an image's entry point.
buildah run --network host --env PORT="$port" --env ENDOSCRIBE_DEMO=true --env ENDOSCRIBE_EXTRACTOR=offline \
  "$container" -- /app/entrypoint.sh python app.py &
server=$!

python3 - "$port" "$torch" <<'PYTHON'
import json, sys, time, urllib.error, urllib.request

address, torch = f"http://127.0.0.1:{sys.argv[1]}/health", sys.argv[2]
until = time.monotonic() + 900
health = {"status": "starting"}
while health["status"] == "starting" and time.monotonic() < until:
    try:
        answer = urllib.request.urlopen(address, timeout=5)
    except urllib.error.HTTPError as error:
        answer = error
    except OSError:
        time.sleep(1)
        continue
    health = json.load(answer)
    time.sleep(1)
print(health)
# Without speech the model cannot load, and /health must say so; everything else is there.
wanted = "unhealthy" if torch == "none" else "healthy"
sys.exit(0 if health["status"] == wanted and health["llm_initialized"] and health["supported_procedures"] else 1)
PYTHON
echo "the container of $image works"
