#!/bin/sh
# Runs in a builder cell, in /workspace: node.sh resolve|install
#   resolve  package.json, /downloads -> package-lock.json, on stdout
#   install  package.json and package-lock.json, /downloads -> /staging/node_modules
# What goes wrong stands on stdout as npm's JSON, and on stderr in words. No script of a package is ever run.
set -eu
[ ! -e ca.pem ] || export NODE_EXTRA_CA_CERTS=/workspace/ca.pem
case $1 in
  resolve)
    npm install --package-lock-only --json > said || { cat said; exit 1; }
    cat package-lock.json
    ;;
  install)
    cp package.json package-lock.json /staging/
    cd /staging
    npm ci --json --prefer-offline > /workspace/said || { cat /workspace/said; exit 1; }
    # The lock that we keep does not say what goes into .bin; without npm's own notes it looks into the packages.
    rm -f node_modules/.package-lock.json
    npm rebuild --offline > /dev/null
    rm -f package.json package-lock.json node_modules/.package-lock.json
    ;;
esac
