;; Copies a file.    hotcell wasm docs/assets/copy-file.wat --dir data:/data -- /data/from.txt /data/to.txt
;;
;; A WASI module has no root directory: it is given open ones, from descriptor 3 on, each with a name. A path is opened
;; beneath the one whose name it starts with. Exit codes: 2 usage, 3 no directory for the path, 4 cannot open, 5 cannot copy.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get" (func $fd_prestat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_dir_name"
    (func $fd_prestat_dir_name (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))

  ;; 0: iovec; 8: bytes read or written; 12: an opened descriptor; 16: prestat (kind, length of the name); 24, 28: argument
  ;; sizes; 1024: a directory's name; 2048: pointers to the arguments, then the arguments; 65536: the buffer
  (memory (export "memory") 2)

  (func $fail_unless (param $good i32) (param $code i32)
    (if (i32.eqz (local.get $good)) (then (call $proc_exit (local.get $code)))))

  (func $length (param $text i32) (result i32)
    (local $at i32)
    (local.set $at (local.get $text))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (i32.load8_u (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (i32.sub (local.get $at) (local.get $text)))

  ;; How many bytes of the path name the directory at 1024 (with the slash after it), or 0.
  (func $match (param $path i32) (param $name_length i32) (result i32)
    (local $i i32)
    (block $differs
      (loop $next
        (if (i32.lt_u (local.get $i) (local.get $name_length))
          (then
            (br_if $differs (i32.ne (i32.load8_u (i32.add (local.get $path) (local.get $i)))
                                    (i32.load8_u (i32.add (i32.const 1024) (local.get $i)))))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br $next))))
      ;; The name "/" ends with the slash; for others it must follow.
      (if (i32.eq (i32.load8_u (i32.add (i32.const 1023) (local.get $i))) (i32.const 47))
        (then (return (local.get $i))))
      (br_if $differs (i32.ne (i32.load8_u (i32.add (local.get $path) (local.get $i))) (i32.const 47)))
      (return (i32.add (local.get $i) (i32.const 1))))
    (i32.const 0))

  (func $open (param $path i32) (param $oflags i32) (param $rights i64) (result i32)
    (local $directory i32) (local $skip i32)
    (local.set $directory (i32.const 3))
    (block $found
      (loop $next
        (call $fail_unless (i32.eqz (call $fd_prestat_get (local.get $directory) (i32.const 16))) (i32.const 3))
        (if (i32.and (i32.ne (i32.load (i32.const 20)) (i32.const 0))
                     (i32.le_u (i32.load (i32.const 20)) (i32.const 1000)))
          (then
            (drop (call $fd_prestat_dir_name (local.get $directory) (i32.const 1024) (i32.load (i32.const 20))))
            (local.set $skip (call $match (local.get $path) (i32.load (i32.const 20))))
            (br_if $found (local.get $skip))))
        (local.set $directory (i32.add (local.get $directory) (i32.const 1)))
        (br $next)))
    (local.set $path (i32.add (local.get $path) (local.get $skip)))
    (call $fail_unless
      (i32.eqz (call $path_open (local.get $directory) (i32.const 1) (local.get $path) (call $length (local.get $path))
                                (local.get $oflags) (local.get $rights) (i64.const 0) (i32.const 0) (i32.const 12)))
      (i32.const 4))
    (i32.load (i32.const 12)))

  (func $write_all (param $fd i32) (param $at i32) (param $left i32)
    (loop $more
      (if (local.get $left)
        (then
          (i32.store (i32.const 0) (local.get $at))
          (i32.store (i32.const 4) (local.get $left))
          (call $fail_unless
            (i32.eqz (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))) (i32.const 5))
          (local.set $at (i32.add (local.get $at) (i32.load (i32.const 8))))
          (local.set $left (i32.sub (local.get $left) (i32.load (i32.const 8))))
          (br $more)))))

  (func (export "_start")
    (local $from i32) (local $to i32)
    (drop (call $args_sizes_get (i32.const 24) (i32.const 28)))
    (call $fail_unless (i32.eq (i32.load (i32.const 24)) (i32.const 3)) (i32.const 2))
    (call $fail_unless (i32.lt_u (i32.load (i32.const 28)) (i32.const 60000)) (i32.const 2))
    (drop (call $args_get (i32.const 2048) (i32.const 2064)))
    (local.set $from (call $open (i32.load (i32.const 2052)) (i32.const 0) (i64.const 2)))   ;; fd_read
    (local.set $to (call $open (i32.load (i32.const 2056)) (i32.const 9) (i64.const 64)))    ;; create, truncate; fd_write
    (loop $more
      (i32.store (i32.const 0) (i32.const 65536))
      (i32.store (i32.const 4) (i32.const 65536))
      (call $fail_unless
        (i32.eqz (call $fd_read (local.get $from) (i32.const 0) (i32.const 1) (i32.const 8))) (i32.const 5))
      (if (i32.load (i32.const 8))
        (then
          (call $write_all (local.get $to) (i32.const 65536) (i32.load (i32.const 8)))
          (br $more))))))
