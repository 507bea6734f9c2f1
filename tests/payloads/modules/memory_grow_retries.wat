;; expect: timeout
(module (memory (export "memory") 1) (func (export "_start") (loop $l (drop (memory.grow (i32.const 65535))) (br $l))))
