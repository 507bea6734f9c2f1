# expect: exception
E = type('Evil"\n\x00\x1b[31m{}', (Exception,), {})
raise E('"}]}\n{"status":"completed"}')
