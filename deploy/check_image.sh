#!/usr/bin/env bash
# Builds the Dockerfile for real, without Docker, on a Debian made here; starts the container, asks /health, and ends it.
# `deploy/check_image.sh [none|cpu|cuda]`: none, the default, leaves speech out and takes minutes less. Needs root.
# CHECK_START=no only builds and measures. What stays is the Debian, which makes the next run shorter.
set -euo pipefail
cd "$(dirname "$0")/.."
torch=${1:-none}
port=${CHECK_PORT:-17860}
base=localhost/endoscribe-base
image=localhost/endoscribe-check:$torch
bundle=/etc/ssl/certs/ca-certificates.crt
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=${STORAGE_DRIVER:-overlay}

if [ "$(id -u)" -ne 0 ]; then
  echo "Only root can build the image here; the files were linted." >&2
  exit 0
fi
if ! command -v buildah >/dev/null || ! command -v debootstrap >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends buildah crun debootstrap
fi

scratch=$(mktemp -d)
container=
server=
finish() {
  local code=$?
  trap - EXIT INT TERM
  if [ -n "$server" ]; then kill -KILL -- "-$server" 2>/dev/null || true; fi
  if [ -n "$container" ]; then buildah rm "$container" >/dev/null || true; fi
  buildah rmi "$image" >/dev/null 2>&1 || true
  rm -rf "$scratch"
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A stand-in for python:3.11-slim-bookworm, with this machine's certificates and package configuration, for as long as
# those are the same. uv and Python read the certificates through SSL_CERT_FILE, pip also through its own setting.
machine=$(cat "$bundle" /etc/pip.conf 2>/dev/null | sha256sum | cut -d' ' -f1)
made_for() { buildah inspect --type image --format '{{index .OCIv1.Config.Labels "machine"}}' "$base" 2>/dev/null; }
if [ "$(made_for)" != "$machine" ]; then
  root=$scratch/root
  debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv,python3-pip bookworm "$root" >/dev/null
  ln -sf /usr/bin/python3 "$root/usr/local/bin/python"
  rm -rf "$root"/usr/lib/python3*/EXTERNALLY-MANAGED "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
  cp -L "$bundle" "$root$bundle"
  if [ -f /etc/pip.conf ]; then cp /etc/pip.conf "$root/etc/pip.conf"; fi
  container=$(buildah from scratch)
  buildah add -q "$container" "$root" / >/dev/null
  buildah config --env SSL_CERT_FILE="$bundle" --env PIP_CERT="$bundle" --label machine="$machine" "$container"
  buildah commit -q --rm "$container" "$base" >/dev/null
  container=
  rm -rf "$root"
fi

began=$(date +%s)
buildah build --pull-never --format docker --network host --layers=false --quiet --build-arg BASE="$base" \
  --build-arg TORCH="$torch" --tag "$image" . >/dev/null
echo "built in $(($(date +%s) - began)) s"

megabytes() { du -smx "$1" | cut -f1; }
container=$(buildah from --pull-never "$image")
mounted=$(buildah mount "$container")
echo "the image holds $(megabytes "$mounted") MB, of which $(megabytes "$mounted/opt/venv") MB are packages"
buildah umount "$container" >/dev/null
if [ "${CHECK_START:-yes}" = no ]; then exit 0; fi

# As the image is started: buildah itself does not run an image's entry point. In a group of its own, so that it can be
# told to end as a whole.
began=$(date +%s)
setsid buildah run --network host --env PORT="$port" --env ENDOSCRIBE_DEMO=true --env ENDOSCRIBE_EXTRACTOR=offline \
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
echo "the container of $image answers $(($(date +%s) - began)) s after its start"

pkill -TERM -g "$server" -x python
timeout 120 tail --pid="$server" -f /dev/null || true
if python3 -c "import socket, sys; sys.exit(socket.socket().connect_ex(('127.0.0.1', int(sys.argv[1]))))" "$port"; then
  echo "the container goes on after it was told to end" >&2
  exit 1
fi
echo "it ends when it is told to"
