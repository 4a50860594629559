"""A scanner in a few lines, for trying it out: it refuses EICAR, the file by which virus scanners are tested."""
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


class Scanner(BaseHTTPRequestHandler):
    def do_POST(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        verdict = {"verdict": "refused", "reason": "Eicar-Test-Signature"} if EICAR in content else {"verdict": "clean"}
        answer = json.dumps(verdict).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        print(self.headers["Cenote-Bucket"], unquote(self.headers["Cenote-Key"][2:-1]), verdict, flush=True)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Scanner)
print(f"http://127.0.0.1:{server.server_port}/", flush=True)
server.serve_forever()
