"""The rows of bench/query.ts in SQLite, in process, an index on each column; and its questions.

Standard input: a line with the file, the columns and the number of rows, the rows, then one line for each kind of
question: {"kind": …, "sql": …, "warming": [[…], …], "parameters": [[…], …]}. Standard output: one line of JSON for each, after one of its own.
"""
import json
import os
import resource
import sqlite3
import sys
import time

head = json.loads(sys.stdin.readline())
columns = ", ".join(f'"{name}"' for name in head["columns"])
database = sqlite3.connect(head["file"])
database.execute("PRAGMA journal_mode = WAL")
database.execute("PRAGMA synchronous = OFF")
database.execute("PRAGMA cache_size = -32768")
database.execute(f"CREATE TABLE objects (id INTEGER PRIMARY KEY, {columns})")
for number, name in enumerate(head["columns"]):
    database.execute(f'CREATE INDEX i{number} ON objects ("{name}")')
start = time.perf_counter()
marks = ", ".join("?" for _ in head["columns"])
for first in range(0, head["rows"], 256):
    rows = [json.loads(sys.stdin.readline()) for _ in range(min(256, head["rows"] - first))]
    database.executemany(f"INSERT INTO objects ({columns}) VALUES ({marks})", rows)
    database.commit()
seconds = time.perf_counter() - start
database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
if head["analyze"]:
    database.execute("ANALYZE")
cpu = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"seconds": seconds, "cpu": cpu.ru_utime + cpu.ru_stime, "bytes": os.path.getsize(head["file"])}), flush=True)
for line in sys.stdin:
    question = json.loads(line)
    for parameters in question["warming"]:
        database.execute(question["sql"], parameters).fetchall()
    times = []
    found = 0
    for parameters in question["parameters"]:
        start = time.perf_counter()
        found += len(database.execute(question["sql"], parameters).fetchall())
        times.append((time.perf_counter() - start) * 1000)
    print(json.dumps({"kind": question["kind"], "times": times, "found": found}), flush=True)
