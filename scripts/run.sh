#!/bin/sh
# Every npm script starts here: completes the install, then becomes the program itself under the pinned Node, so that a
# signal sent to npm alone, to the process group, or to both reaches one process and its exit code is npm's.
#
#   run.sh testnet [flags]     validator testnet; installs what running needs
#   run.sh test [files]        the whole test run; installs everything
#   run.sh validator [args]    the command itself, on an installed tree
#   run.sh tool FILE [args]    a script of the repository, on a completely installed tree
#   run.sh bin NAME [args]     a development tool of node_modules/.bin, on a completely installed tree
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd -P)
mode=${1:-}
[ $# -eq 0 ] || shift

case $mode in
  testnet) action=install-running ;;
  test) action=install-complete ;;
  validator) action=check-running ;;
  tool | bin) action=check-complete ;;
  *)
    echo "run.sh: unknown mode '$mode'" >&2
    exit 2
    ;;
esac

# The Node that runs npm: the pinned one lies in the very directory that an install replaces.
system=${npm_node_execpath:-}
[ -n "$system" ] && [ -x "$system" ] || system=$(command -v node || true)
if [ -z "$system" ]; then
  echo "Node.js is missing: install Node.js 20 or newer with npm (https://nodejs.org), then run this command again" >&2
  exit 2
fi

# In the background, so that a signal ends the set-up (and the npm it started) instead of orphaning it.
"$system" "$root/scripts/setup.mjs" "$action" </dev/null &
setup=$!
trap 'kill -TERM "$setup" 2>/dev/null; wait "$setup" || :; exit 143' TERM
trap 'kill -TERM "$setup" 2>/dev/null; wait "$setup" || :; exit 130' INT
trap 'kill -TERM "$setup" 2>/dev/null; wait "$setup" || :; exit 129' HUP
status=0
wait "$setup" || status=$?
trap - TERM INT HUP
[ "$status" -eq 0 ] || exit "$status"

node=$root/node_modules/.bin/node
[ -x "$node" ] || node=$system
PATH=$root/node_modules/.bin:$PATH
export PATH

validator=$root/packages/cli/bin/validator

case $mode in
  testnet)
    home=$root/.testnet
    for arg in "$@"; do
      case $arg in
        --home | --home=*) home= && break ;;
        --demo | --demo=*) home=$root/.testnet/demo ;;
      esac
    done
    [ -z "$home" ] || set -- "$@" --home "$home"
    exec "$validator" testnet "$@"
    ;;
  validator) exec "$validator" "$@" ;;
  test) exec "$node" --conditions=quorate-source "$root/scripts/test.ts" "$@" ;;
  tool)
    file=$1
    shift
    exec "$node" --conditions=quorate-source "$root/$file" "$@"
    ;;
  bin)
    name=$1
    shift
    cd "$root"
    exec "$root/node_modules/.bin/$name" "$@"
    ;;
esac
