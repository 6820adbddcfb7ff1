#!/bin/sh
# The image's default command: everything in one container, with a Redis and an SQLite file in the volume
# /var/lib/skirmish/data, or with those that REDIS_URL and DB_… name.
#
# Skirmish listens beyond loopback only once an admin key exists, so the first start makes one: data/admin.key.
set -eu
umask 077
: "${SKIRMISH_HTTP_LISTEN:=0.0.0.0:8090}"
export SKIRMISH_HTTP_LISTEN
key=${SKIRMISH_SERVER_DATA_DIR:-data}/admin.key
mkdir -p "${key%/*}"
skirmish migrate
if ! skirmish apikey list --json | grep '"role": *"admin"' | grep -q '"is_revoked": *false'; then
  skirmish apikey create --role admin --label "first start" >"$key.new"
  mv "$key.new" "$key"
  echo "The admin key is in $key" >&2
fi
exec skirmish serve "$@"
