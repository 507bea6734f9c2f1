# expect: memory_limit | exception
# timeout: 20
import sqlite3
db = sqlite3.connect(":memory:")
db.execute("create table t(b)")
while True:
    db.execute("insert into t values(zeroblob(5000000))")
