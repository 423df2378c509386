"""A throw-away CA and leaf certificates, made by openssl."""
import ssl
import subprocess
from pathlib import Path


def _openssl(*args, cwd):
    subprocess.run(["openssl", *args], cwd=cwd, check=True, capture_output=True, timeout=60)


class Authority:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.certificate = self.folder / "ca.pem"
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=Throw-away CA",
                 "-addext", "keyUsage=critical,keyCertSign,cRLSign", cwd=self.folder)

    def leaf(self, name, *others):
        """(certificate, key) for the names; addresses are written as addresses."""
        stem = name.replace("*", "any")
        certificate, key = self.folder / f"{stem}.pem", self.folder / f"{stem}.key"
        if certificate.exists():
            return certificate, key
        names = ",".join(("IP:" if n[0].isdigit() else "DNS:") + n for n in (name, *others))
        (self.folder / f"{stem}.ext").write_text(f"subjectAltName={names}\n")
        _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-keyout", key.name, "-out", f"{stem}.csr", "-subj", f"/CN={name}", cwd=self.folder)
        _openssl("x509", "-req", "-in", f"{stem}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                 "-CAcreateserial", "-days", "30", "-extfile", f"{stem}.ext", "-out", certificate.name,
                 cwd=self.folder)
        return certificate, key

    def client(self):
        """A client's context that trusts this authority alone."""
        return ssl.create_default_context(cafile=str(self.certificate))

    def server(self, name, *others):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*map(str, self.leaf(name, *others)))
        return context
