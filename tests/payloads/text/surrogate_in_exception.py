# expect: exception
raise ValueError("\udcff\ud800 \x00 end")
