"""The other side of a login by password, by the Python package scramp.

The first line of standard input is a JSON object that tells the side and the secrets; then messages of
SCRAM-SHA-256-PLUS follow, one a line, in both directions. The last line of standard output is the verdict
of this side: "accepted", or "refused" and why.
"""

import json
import sys

import scramp

setup = json.loads(sys.stdin.readline())
binding = "tls-server-end-point"


def hear():
    return sys.stdin.readline().rstrip("\n")


def say(message):
    print(message, flush=True)


def serve():
    mechanism = scramp.ScramMechanism("SCRAM-SHA-256-PLUS")
    credentials = mechanism.make_auth_info(setup["password"], iteration_count=setup["iterations"])
    # Given the certificate, scramp makes the binding by itself.
    server = mechanism.make_server(
        lambda user: credentials if user == setup["user"] else None,
        channel_binding=(binding, setup["certificate"]),
    )
    server.set_client_first(hear())
    say(server.get_server_first())
    server.set_client_final(hear())
    say(server.get_server_final())


def log_in():
    client = scramp.ScramClient(
        ["SCRAM-SHA-256-PLUS"],
        setup["user"],
        setup["password"],
        channel_binding=(binding, bytes.fromhex(setup["binding"])),
    )
    say(client.get_client_first())
    client.set_server_first(hear())
    say(client.get_client_final())
    client.set_server_final(hear())


try:
    serve() if setup["side"] == "server" else log_in()
    say("accepted")
except scramp.ScramException as refusal:
    say(f"refused: {refusal}")
