"""A mail server with a fault at will. Prints its port, then what it hears, a JSON document a line.

    server.py MODE --tls implicit|starttls|none [--port N] [--login USER:PASSWORD]

With the mode `by-recipient` the recipient names the fault, by the first label of its domain: `x@greylisted.example`.
With `by-number` it does so before the @: to 1 to 99 there is no answer, at 100 to 199 the connection is closed, at 200 to 299
by 421; all others are taken. To 300 to 399 there is no answer to the e-mail itself.
"""

import argparse
import asyncio
import json
import os
import pathlib
import ssl

from aiosmtpd.smtp import SMTP, AuthResult

arguments = argparse.ArgumentParser()
arguments.add_argument("mode")
arguments.add_argument("--tls", default="none")
arguments.add_argument("--port", type=int, default=0)
arguments.add_argument("--login")
options = arguments.parse_args()

SENDER = {"sender-refused": "550 5.1.8 who is that", "sender-later": "451 4.3.0 later"}
RECIPIENT = {
    "no-such-user": "550 5.1.1 no such user",
    "greylisted": "450 4.2.0 greylisted, come back",
    "relay-denied": "554 5.7.1 relay access denied",
    "closing": "421 4.3.2 closing",
}
CONTENT = {"full": "452 4.3.1 no room", "spam": "554 5.7.1 looks like spam"}


def tell(**what):
    print(json.dumps(what), flush=True)


async def by_number(server, number):
    if number < 100:
        await asyncio.sleep(3600)
    if number < 200:
        server.transport.abort()
    return RECIPIENT["closing"]


class Handler:
    async def handle_MAIL(self, server, session, envelope, address, mail_options):
        tell(sender=address, tls=session.ssl is not None, user=bool(session.authenticated))
        if options.mode == "utf8-refused" and "SMTPUTF8" in mail_options:
            return "555 5.6.7 no such addresses here"
        if options.mode in SENDER:
            return SENDER[options.mode]
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if options.mode == "slow":
            await asyncio.sleep(3600)
        if options.mode == "broken-early":
            server.transport.abort()
        if options.mode == "by-number" and int(address.split("@")[0]) < 300:
            return await by_number(server, int(address.split("@")[0]))
        by_recipient = options.mode == "by-recipient"
        mode = address.split("@")[-1].split(".")[0] if by_recipient else options.mode
        if mode in RECIPIENT:
            return RECIPIENT[mode]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        tell(to=envelope.rcpt_tos, peer=session.peer[1], content=envelope.content.decode())
        if options.mode == "hang" or options.mode == "by-number" and int(envelope.rcpt_tos[0].split("@")[0]) < 400:
            await asyncio.sleep(3600)
        if options.mode == "killed":
            os._exit(1)
        if options.mode == "broken":
            server.transport.abort()
        return CONTENT.get(options.mode, "250 2.0.0 Ok: queued as Q7")


class Server(SMTP):
    async def smtp_STARTTLS(self, arg):
        if options.mode == "no-tls":
            return await self.push("454 4.7.0 TLS is not available")
        return await super().smtp_STARTTLS(arg)


def authenticate(server, session, envelope, mechanism, data):
    given = f"{data.login.decode()}:{data.password.decode()}"
    return AuthResult(success=given == options.login, handled=False)


def make(context):
    starttls = {"tls_context": context, "require_starttls": True} if options.tls == "starttls" else {}
    login = {"authenticator": authenticate, "auth_required": True} if options.login else {}
    # With implicit TLS the library takes the connection for an open one.
    wide = {"enable_SMTPUTF8": True} if options.mode == "utf8-refused" else {}
    return Server(Handler(), hostname="localhost", **wide, auth_require_tls=options.tls == "starttls", **starttls, **login)


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pathlib.Path(__file__).with_name("server.pem"))
    implicit = context if options.tls == "implicit" else None
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: make(context), "127.0.0.1", options.port, ssl=implicit)
    port = server.sockets[0].getsockname()[1]
    # An address that the certificate is not for.
    await loop.create_server(lambda: make(context), "127.0.0.2", port, ssl=implicit)
    tell(port=port)
    await server.serve_forever()


asyncio.run(main())
