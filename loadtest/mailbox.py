"""A mail server for load tests: it takes everything, and shows by HTTP what came, in the form of twilio-sim's messages.

`with Mailbox() as mailbox:` gives `smtp` for SMTP_URL and `url`, where /messages.json?to=ADDRESS has the newest first.
"""

import email
import email.policy
import http.server
import json
import socketserver
import threading
import urllib.parse
from collections import defaultdict, deque

# Mails that are kept of an address.
KEPT = 4


class Smtp(socketserver.StreamRequestHandler):
    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self):
        self.say("220 mailbox ESMTP")
        recipients = []
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"EHLO":
                self.say("250-mailbox")
                self.say("250-8BITMIME")
                self.say("250 SMTPUTF8")
            elif word == b"RCPT":
                recipients.append(line.split(b"<", 1)[1].split(b">", 1)[0].decode())
                self.say("250 OK")
            elif word == b"DATA":
                self.say("354 go on")
                content = b""
                while (part := self.rfile.readline()) not in (b".\r\n", b""):
                    content += part.removeprefix(b".")
                self.server.keep(recipients, content)
                recipients = []
                self.say("250 OK")
            elif word == b"QUIT":
                return self.say("221 bye")
            else:
                self.say("250 OK")


class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        address = query.get("to", [""])[0]
        body = json.dumps([{"to": address, "body": text} for text in self.server.texts(address)]).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Threads(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128


class Mailbox:
    def __init__(self):
        self.mails, self.lock = defaultdict(lambda: deque(maxlen=KEPT)), threading.Lock()
        self.servers = []

    def __enter__(self):
        smtp, web = (Threads(("127.0.0.1", 0), handler) for handler in (Smtp, Web))
        smtp.keep, web.texts = self.keep, self.texts
        for server in (smtp, web):
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.servers.append(server)
        self.smtp = f"smtp://127.0.0.1:{smtp.server_address[1]}"
        self.url = f"http://127.0.0.1:{web.server_address[1]}"
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def keep(self, recipients, content):
        message = email.message_from_bytes(content, policy=email.policy.default)
        text = message.get_body(("plain",)).get_content()
        with self.lock:
            for address in recipients:
                self.mails[address].appendleft(text)

    def texts(self, address):
        with self.lock:
            return list(self.mails.get(address, ()))
