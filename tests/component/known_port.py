# SPDX-License-Identifier: Apache-2.0
"""A port that carries what it says: known_port.py PORT is asked as probe/serve.c is, but answers a byte after 5 ms, and
gives and takes 64 KiB in 10 ms."""
import socket
import sys
import time

BLOCK, RECEIPT = 64 << 10, 256 << 10


def answer(client):
    word = client.recv(1)
    taken = 0
    while word == b"p":
        time.sleep(0.005)
        client.sendall(word)
        word = client.recv(1)
    while word == b"d":
        time.sleep(0.01)
        client.sendall(bytes(BLOCK))
    while word:
        data = client.recv(BLOCK, socket.MSG_WAITALL)
        if not data:
            return
        time.sleep(0.01)
        taken += len(data)
        client.sendall(bytes(taken // RECEIPT))
        taken %= RECEIPT


with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    while True:
        with server.accept()[0] as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                answer(connection)
            except OSError:  # whoever asked has enough
                pass
