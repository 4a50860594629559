"""Reads mails as one JSON list of base64 and writes, for each, the attachments that Python's e-mail package finds."""
import base64
import email
import email.policy
import hashlib
import json
import sys

TEXTS = {"text/plain", "text/html", "text/enriched"}


def attachments(message):
    for part in message.walk():
        if part.is_multipart():
            continue
        name = part.get_filename()
        if part.get_content_type() in TEXTS and not name and part.get_content_disposition() != "attachment":
            continue
        content = part.get_payload(decode=True) or b""
        yield [part.get_content_type(), hashlib.sha256(content).hexdigest()]


mails = [base64.b64decode(text) for text in json.load(sys.stdin)]
json.dump([list(attachments(email.message_from_bytes(mail, policy=email.policy.compat32))) for mail in mails], sys.stdout)
