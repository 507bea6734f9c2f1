#!/bin/sh
# Runs in a builder cell, in /workspace: python.sh resolve|install OPTIONS…   (options of uv)
#   resolve  requirements.in, /downloads -> pylock.toml as JSON, on stdout
#   install  requirements.txt with hashes, /downloads -> /staging
# What goes wrong stands on stderr, in uv's words.
set -eu
if [ -e ca.pem ]; then
  cat /etc/ssl/certs/ca-certificates.crt ca.pem > /tmp/authorities.pem
  export SSL_CERT_FILE=/tmp/authorities.pem
fi
what=$1
shift
case $what in
  resolve)
    compile() { uv pip compile --no-header --no-annotate --format pylock.toml -o pylock.toml requirements.in "$@" > /dev/null; }
    if ! compile "$@" 2> said; then
      cat said >&2
      # uv says "no usable wheels" of versions that were withdrawn, too. Without that demand it says which; without
      # dependencies nothing is built to find out.
      if grep -q 'no usable wheels' said; then
        echo 'hotcell: the same without dependencies, and with source packages:' >&2
        for word in "$@"; do
          shift
          case $word in --only-binary | :all:) ;; *) set -- "$@" "$word" ;; esac
        done
        compile --no-deps "$@" || true
      fi
      exit 1
    fi
    cat said >&2
    python3 -I -c 'import json, tomllib; print(json.dumps(tomllib.load(open("pylock.toml", "rb")), default=str))'
    ;;
  install)
    uv pip install --target /staging --require-hashes --no-deps --compile-bytecode -r requirements.txt "$@" >&2
    rm -f /staging/.lock
    ;;
esac
