"""Lets clamd judge uploads: a scanner of Cenote's before the socket of ClamAV. Usage: clamd-bridge.py PORT SOCKET"""
import json, socket, struct, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE_BYTES = 64 * 1024


class Bridge(BaseHTTPRequestHandler):
    def do_POST(self):
        with socket.socket(socket.AF_UNIX) as clamd:
            clamd.connect(sys.argv[2])
            clamd.sendall(b"zINSTREAM\0")
            left = int(self.headers["Content-Length"])
            while left > 0:
                piece = self.rfile.read(min(left, PIECE_BYTES))
                if not piece:
                    return
                left -= len(piece)
                clamd.sendall(struct.pack("!I", len(piece)) + piece)
            clamd.sendall(struct.pack("!I", 0))
            said = clamd.makefile("rb").read().rstrip(b"\0").decode("utf-8", "replace")
        word = said.rsplit(" ", 1)[-1]  # stream: OK, stream: NAME FOUND, or why it could not look, and ERROR.
        if word == "OK":
            self.answer(200, {"verdict": "clean"})
        elif word == "FOUND":
            self.answer(200, {"verdict": "refused", "reason": said.removeprefix("stream: ").removesuffix(" FOUND")})
        else:
            self.answer(502, {"detail": said})

    def answer(self, status, members):
        body = json.dumps(members).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Bridge).serve_forever()
