"""A peer made with the websockets package (10.4, Debian 12's).

It reads commands, one JSON object per line, and answers each with a line of
JSON. node/peer.mjs understands the same.
"""

import asyncio
import json
import ssl
import sys
import traceback
from collections import defaultdict
from urllib.parse import parse_qs, urlsplit

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory
from websockets.frames import Close

# Client


# deflate has the parameters of permessage-deflate; none: what websockets does by itself.
def parameters(serverNoTakeover=False, clientNoTakeover=False, serverBits=None, clientBits=None):
    return {
        "server_no_context_takeover": serverNoTakeover,
        "client_no_context_takeover": clientNoTakeover,
        "server_max_window_bits": serverBits,
        "client_max_window_bits": clientBits,
    }


def dial(url, protocols=None, ca=None, deflate=None):
    context = ssl.create_default_context(cafile=ca) if ca else None
    options = {}
    if deflate is not None:
        p = parameters(**deflate)
        p["client_max_window_bits"] = p["client_max_window_bits"] or True
        options["extensions"] = [ClientPerMessageDeflateFactory(**p)]
    return websockets.connect(url, subprotocols=protocols, ssl=context, **options)


def make(size, is_binary):
    if is_binary:
        return bytes((i * 7 + size) & 255 for i in range(256)) * (size // 256) + bytes(size % 256)
    return "aé€😀" * (size // 10) + "x" * (size % 10)


async def expect(ws, want):
    got = await ws.recv()
    if got != want:
        raise AssertionError(f"sent {len(want)} {type(want)}, got {len(got)} {type(got)}")


async def ended(ws):
    await ws.wait_closed()
    return {"code": ws.close_code, "reason": ws.close_reason}


async def finish(ws):
    await ws.close(1000)
    return await ended(ws)


async def echo(sizes, **to):
    async with dial(**to) as ws:
        for size in sizes:
            for is_binary in (True, False):
                data = make(size, is_binary)
                await ws.send(data)
                await expect(ws, data)
        extensions = ws.response_headers.get("Sec-WebSocket-Extensions", "")
        return {"protocol": ws.subprotocol or "", "extensions": extensions, **await finish(ws)}


async def batch(sizes, **to):
    async with dial(**to) as ws:

        async def send():
            for i, size in enumerate(sizes):
                await ws.send(make(size, i % 2 == 0))

        sending = asyncio.create_task(send())
        for i, size in enumerate(sizes):
            await expect(ws, make(size, i % 2 == 0))
        await sending
        return await finish(ws)


async def fragments(sizes, **to):
    async with dial(**to) as ws:
        # Fragments of text are cut between characters here.
        for is_binary in (True, False):
            pieces = [make(size, is_binary) for size in sizes]

            async def with_pings():
                for piece in pieces:
                    yield piece
                    await ws.ping()

            await ws.send(with_pings())
            await expect(ws, (b"" if is_binary else "").join(pieces))
        return await finish(ws)


async def ping(payload, **to):
    async with dial(**to) as ws:
        await (await ws.ping(payload))  # waits for a pong with the same payload
        await finish(ws)
        return {"payload": payload}


async def send_close(ws, code, reason):
    if code is None:
        await ws.write_close_frame(Close(1005, ""), b"")
    else:
        await ws.close(code, reason or "")


async def close(code=None, reason=None, **to):
    async with dial(**to) as ws:
        await send_close(ws, code, reason)
        return await ended(ws)


async def closed(**to):
    async with dial(**to) as ws:
        return await ended(ws)


async def toobig(size, **to):
    async with dial(**to) as ws:
        await ws.send(bytes(size))
        return await ended(ws)


async def terminate(**to):
    async with dial(**to) as ws:
        await ws.send("last words")
        await ws.recv()
        ws.transport.abort()
        return await ended(ws)


# Server

loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
endings = defaultdict(loop.create_future)


async def serve(ws):
    url = urlsplit(ws.path)
    q = {name: values[0] for name, values in parse_qs(url.query).items()}
    n = int(q.get("n", 0))
    echoes = 0
    try:
        if url.path == "/echo":
            async for message in ws:
                await ws.send(message)
        elif url.path == "/fragments":
            async for message in ws:

                async def pieces():
                    for at in range(0, len(message), n):
                        yield message[at : at + n]
                        await ws.ping()

                await ws.send(pieces())
        elif url.path == "/batch":
            for i in range(n):
                await ws.send(f"message {i}")
            async for message in ws:  # counts the echoes, which are -1 from a wrong one on
                echoes = echoes + 1 if message == f"message {echoes}" else -1
        elif url.path == "/ping":
            await (await ws.ping(q["payload"]))
            await ws.send(q["payload"])
            await ws.wait_closed()
        elif url.path == "/close":
            code = int(q["code"]) if "code" in q else None
            await send_close(ws, code, q.get("reason"))
        elif url.path == "/terminate":
            await ws.recv()
            ws.transport.abort()
    except websockets.ConnectionClosed:
        pass
    endings[q["id"]].set_result({**await ended(ws), "echoes": echoes})


async def listen(cert=None, key=None, deflate=None):
    context = None
    if cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
    options = {}
    if deflate is not None:
        options["extensions"] = [ServerPerMessageDeflateFactory(**parameters(**deflate))]
    server = await websockets.serve(serve, "127.0.0.1", 0, subprotocols=["chat.v2"], ssl=context, **options)
    return {"port": server.sockets[0].getsockname()[1]}


async def ended_by_id(id):
    return await endings[id]


commands = {f.__name__: f for f in (echo, batch, fragments, ping, close, closed, toobig, terminate, listen)}
commands["ended"] = ended_by_id


async def main():
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        try:
            answer = await commands[command.pop("run")](**command)
        except Exception as e:  # whatever it is, the test wants to know
            answer = {"error": f"{e!r} {traceback.format_exc()}"}
        print(json.dumps(answer), flush=True)


loop.run_until_complete(main())
