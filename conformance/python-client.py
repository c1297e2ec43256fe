"""A subscriber in Python on the stock `centrifuge-python` SDK, driven by lines on standard input.

Prints one JSON object per line: what happened, and what each command answered.
"""

import asyncio
import json
import sys

from centrifuge import Client, ClientEventHandler, DeltaType, SubscriptionEventHandler

address, encoding, delta = sys.argv[1:4]
is_binary = encoding == "protobuf"


def say(**event):
    print(json.dumps(event), flush=True)


def pack(value):
    return json.dumps(value).encode() if is_binary else value


def unpack(data):
    return json.loads(data) if isinstance(data, (bytes, str)) and is_binary else data


class Connection(ClientEventHandler):
    async def on_connected(self, ctx):
        say(event="connected")

    async def on_disconnected(self, ctx):
        say(event="disconnected", code=ctx.code)


class News(SubscriptionEventHandler):
    async def on_subscribed(self, ctx):
        say(event="subscribed", was_recovering=ctx.was_recovering, recovered=ctx.recovered)

    async def on_publication(self, ctx):
        say(event="publication", data=unpack(ctx.pub.data), offset=ctx.pub.offset)


async def main():
    client = Client(address, events=Connection(), use_protobuf=is_binary, proxy=None)
    options = {"delta": DeltaType.FOSSIL} if delta == "delta" else {}
    news = client.new_subscription("news", events=News(), **options)
    await client.connect()
    await news.subscribe()
    await news.ready()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = line.strip()
        if command == "publish":
            await news.publish(pack({"from": "python"}))
            say(event="published")
        elif command == "presence":
            say(event="presence", clients=len((await news.presence()).clients))
        elif command == "history":
            page = await news.history(limit=100)
            say(event="history", data=[unpack(pub.data) for pub in page.publications])
        elif command == "unsubscribe":
            await news.unsubscribe()
            say(event="unsubscribed")
    await client.disconnect()


asyncio.run(main())
