echo "$0" "$#" "${BASH_VERSION%%.*}" "$PWD" "$-"
set -euo pipefail
printf '%s\n' a b | tr a-z A-Z
x=(1 2 3); echo "${x[@]}" "$((1+2))"
[[ -t 0 ]] || echo no terminal
trap 'echo bye $?' EXIT
false
