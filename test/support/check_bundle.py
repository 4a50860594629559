#!/usr/bin/env python3
"""Verifies an evidence bundle as docs/EVIDENCE.md describes it, and shares no line with the program that made it.

    check_bundle.py FILE [ID …]      exits with 0 when it is sound, with 1 and a line for each finding when it is not

It needs nothing but Python's standard library, and the command `openssl` for Ed25519.
"""
import base64
import binascii
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile

SPKI = bytes.fromhex("302a300506032b6570032100")
findings = []


def found(what):
    findings.append(what)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts))


def canonical(value):
    """RFC 8785 for what records hold: JavaScript writes a whole number without a fraction, and orders by UTF-16."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(json.dumps(name, ensure_ascii=False) + ":" + canonical(value[name]) for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)


def decode(name, content):
    """The record in a file, which is a byte 01 and canonical JSON, and names its own place."""
    if content[:1] != b"\x01":
        raise ValueError(f"{name} is no record")
    record = json.loads(content[1:].decode())
    if canonical(record).encode() != content[1:]:
        raise ValueError(f"{name} is not in canonical form")
    if not name.endswith(f"/{record['sequence']:016d}.record"):
        raise ValueError(f"{name} holds another record")
    return record, sha256(content).hexdigest()


def is_signed_by(record, public_key):
    signature = base64.b64decode(record["signature"], validate=True)
    if base64.b64encode(signature).decode() != record["signature"]:
        return False
    unsigned = {name: value for name, value in record.items() if name != "signature"}
    message = b"cenote signed record 1\n" + canonical(unsigned).encode()
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for name, content in (("key", SPKI + public_key), ("message", message), ("signature", signature)):
            paths[name] = f"{folder}/{name}"
            with open(paths[name], "wb") as file:
                file.write(content)
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", paths["key"], "-rawin"]
        done = subprocess.run(command + ["-in", paths["message"], "-sigfile", paths["signature"]], capture_output=True)
        return done.returncode == 0


def root_of(digest, leaf, leaves, path):
    """RFC 9162 section 2.1.3.2."""
    if leaf >= leaves:
        return None
    place, last = leaf, leaves - 1
    node = sha256(b"\x00", bytes.fromhex(digest)).digest()
    for neighbour in map(bytes.fromhex, path):
        if last == 0:
            return None
        if place & 1 or place == last:
            node = sha256(b"\x01", neighbour, node).digest()
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            node = sha256(b"\x01", node, neighbour).digest()
        place, last = place >> 1, last >> 1
    return node.hex() if last == 0 else None


class Bundle:
    def __init__(self, trust):
        self.trust = set(trust)
        self.keys = []
        self.trusted = set()
        self.checkpoint = None
        self.last = None
        self.records = 0
        self.puts = {}
        self.given = []
        self.signers = set()

    def take_key(self, record):
        raw = base64.b64decode(record["publicKey"], validate=True)
        key_id = sha256(raw).hexdigest()
        before = self.keys[-1] if self.keys else None
        signer, by = (before["id"], before["raw"]) if before else (key_id, raw)
        is_introduced = record["signer"] == signer and is_signed_by(record, by)
        if key_id != record["id"] or not is_introduced or record["pool"] != self.manifest["pool"]:
            found(f"key {record['id']} is not introduced")
        if not self.trust or key_id in self.trust or (before and is_introduced and before["id"] in self.trusted):
            self.trusted.add(key_id)
        self.keys.append({"id": key_id, "raw": raw, "sequence": record["sequence"]})

    def take_checkpoint(self, record):
        self.checkpoint = record
        active = [key for key in self.keys if key["sequence"] < record["sequence"]]
        if record["pool"] != self.manifest["pool"]:
            found(f"checkpoint {record['sequence']} is of another pool")
        if not active or active[-1]["id"] != record["signer"] or not is_signed_by(record, active[-1]["raw"]):
            found(f"checkpoint {record['sequence']} is not signed by the key that was to sign")
        elif active[-1]["id"] not in self.trusted:
            found(f"key {record['signer']} is not trusted")
        self.signers.add(record["signer"])

    def take_record(self, record, digest, proof):
        covers = self.checkpoint["covers"]
        before = self.last
        if record["object"] != self.manifest["object"] or record["previous"]["object"] != (before[1] if before else ""):
            found(f"record {record['sequence']} does not follow in the stream of the object")
        if (int(record["object"]) == record["sequence"]) != (before is None):
            found(f"record {record['sequence']} is not where the stream begins")
        root = root_of(digest, proof["leaf"], proof["leaves"], proof["path"])
        is_covered = covers["first"] <= record["sequence"] <= covers["last"]
        is_its = proof["checkpoint"] == self.checkpoint["sequence"] and proof["leaves"] == covers["records"]
        if not (is_covered and is_its and root == covers["root"]) or set(proof) != {"checkpoint", "leaf", "leaves", "path"}:
            found(f"record {record['sequence']} is not proven")
        if record["operation"] == "put":
            self.puts[f"{record['sequence']:016d}"] = record
        self.last = (record, digest)
        self.records += 1

    def take_payload(self, version, size, sha):
        put = self.puts[version]
        if size != put["size"] or sha != put["digests"]["sha256"]:
            found(f"the payload of version {version} is not what was stored")
        self.given.append({"version": version, "size": put["size"], "sha256": put["digests"]["sha256"]})

    def check_manifest(self):
        expected = {
            "format": "cenote evidence bundle 2",
            "pool": self.manifest["pool"],
            "partition": self.last[0]["partition"],
            "object": self.last[0]["object"],
            "bucket": self.last[0]["bucket"],
            "key": self.last[0]["key"],
            "versions": sorted(self.given, key=lambda version: version["version"]),
            "keys": len(self.keys),
            "records": self.records,
        }
        if expected != self.manifest:
            found("the manifest says what does not follow from the rest")

    def read(self, path):
        tar = tarfile.open(path, "r|")
        record = None
        names = []
        for member in tar:
            names.append(member.name)
            content = tar.extractfile(member)
            folder = member.name.split("/")[0]
            if folder == "payloads":
                digest, size = hashlib.sha256(), 0
                while chunk := content.read(1 << 20):
                    digest.update(chunk)
                    size += len(chunk)
                self.take_payload(member.name.removeprefix("payloads/"), size, digest.hexdigest())
                continue
            data = content.read()
            if folder in ("manifest.json", "proofs"):
                value = json.loads(data.decode())
                if canonical(value).encode() != data:
                    raise ValueError(f"{member.name} is not in canonical form")
                if folder == "manifest.json":
                    self.manifest = value
                else:
                    self.take_record(*record, value)
                    record = None
                continue
            record = decode(member.name, data)
            if folder == "keys":
                self.take_key(record[0])
            elif folder == "checkpoints":
                self.take_checkpoint(record[0])
        self.check_order(names)
        self.check_manifest()

    @staticmethod
    def check_order(names):
        order = "manifest.json(,keys/N)+(,checkpoints/N(,records/N,proofs/N)+)+(,payloads/N)+"
        pattern = order.replace("payloads/N", r"payloads/\d{16}").replace("proofs/N", r"proofs/\d{16}\.json")
        payloads = [name for name in names if name.startswith("payloads/")]
        is_whole = re.fullmatch(pattern.replace("/N", r"/\d{16}\.record"), ",".join(names))
        if not is_whole or len(set(names)) != len(names) or payloads != sorted(payloads):
            raise ValueError("its files are not those of a bundle, in their order")


def main(path, trust):
    bundle = Bundle(trust)
    try:
        bundle.read(path)
    except (ValueError, KeyError, TypeError, AttributeError, OSError, tarfile.TarError, binascii.Error) as error:
        found(f"it is no bundle: {error}")
    for finding in findings:
        print(finding)
    if not findings:
        print(f"sound: {bundle.records} records, signed by {', '.join(sorted(bundle.signers))}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
