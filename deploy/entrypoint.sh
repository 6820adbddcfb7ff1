#!/bin/sh
# The image's entrypoint: start.sh without arguments, else that subcommand of skirmish.
set -eu
if [ $# = 0 ]; then exec start.sh; fi
# A whole command works too, as in health checks: skirmish key …
if [ "$1" = skirmish ]; then shift; fi
exec skirmish "$@"
