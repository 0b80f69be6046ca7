#!/bin/sh
# A fresh volume belongs to root on most hosts: hand it over, then run as user 1000. Where the host already starts the
# container as another user (a Space, Kubernetes, `docker run --user`), there is nothing to do.
set -eu
# A Space is open to strangers: it is a demonstration until it is told who may sign in.
if [ -n "${SPACE_ID:-}" ] && [ -z "${ENDOSCRIBE_AUTH:-}" ]; then
  export ENDOSCRIBE_DEMO="${ENDOSCRIBE_DEMO:-true}"
fi
if [ "$(id -u)" -eq 0 ]; then
  chown 1000:1000 /data
  exec setpriv --reuid=1000 --regid=1000 --clear-groups -- "$@"
fi
exec "$@"
