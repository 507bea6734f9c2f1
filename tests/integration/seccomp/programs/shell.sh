# What Bash programs and the usual tools do of all that a filter could break. Prints "ok NAME" for each that works.
cd /tmp
check() {
  local name=$1 got; shift
  got=$("$@" 2>&1) && [ "$got" = "$wanted" ] && echo "ok $name" || echo "broken $name: $got"
}
wanted=3;          check arithmetic eval 'echo $((1+2))'
wanted=$'b\na';    check pipes eval 'printf "a\nb\n" | sort -r | cat'
wanted=x;          check process_substitution eval 'cat <(echo x)'
wanted=y;          check coprocess eval 'coproc C { read v; echo $v; }; echo y >&${C[1]}; read r <&${C[0]}; echo $r'
wanted=z;          check jobs eval 'sleep 0.05 & wait $!; echo z'
wanted=t;          check traps eval 'trap "echo t" USR1; kill -USR1 $BASHPID'
wanted=124;        check timeout eval 'timeout 0.1 sleep 5; echo $?'
wanted=8;          check parallel eval 'seq 8 | xargs -P4 -n1 echo | wc -l'
wanted=300000;     check sort_in_parallel eval 'seq 300000 | sort --parallel=2 -S1M -rn | wc -l'
wanted=fifo;       check fifo eval 'mkfifo p; echo fifo > p & cat p'
wanted=l;          check lock eval 'flock lock echo l'
wanted=5;          check nice eval 'nice -n 5 nice'
wanted=own;        check copy_and_move eval 'echo own > a; cp --reflink=auto -a a b; mv b c; ln c d; ln -s d e; cat e; rm a c d e'
wanted=deep;       check archives eval 'mkdir -p q/r; echo deep > q/r/s; for c in -z -j -J --zstd; do tar $c -cf q.tar q && tar -xf q.tar -O q/r/s || echo $c; done | uniq'
wanted=zip;        check zip eval 'echo zip > w; zip -q w.zip w; unzip -p w.zip'
wanted=7;          check tools eval 'echo "{\"a\": 3}" | jq ".a + 4"'
wanted=1024;       check bc eval 'echo 2^10 | bc'
wanted=6;          check gawk eval "echo 1 2 3 | gawk '{ print \$1+\$2+\$3 }'"
wanted=perl;       check perl eval "perl -e 'print \"perl\"'"
wanted=bash;       check ps eval 'ps -o comm= -p $$'
wanted=03:00;      check time_zones eval 'TZ=Europe/Moscow date -d @0 +%H:%M'
wanted=hi;         check own_sockets eval 'python3 -c "
import socket; s = socket.create_server((\"127.0.0.1\", 8123)); print(flush=True)
c, _ = s.accept(); c.sendall(b\"hi\")" | { read; cat < /dev/tcp/127.0.0.1/8123; }'
echo end
