"""A worker for Holdfast tasks, with nothing but Python's standard library.

    HOLDFAST_URL=http://127.0.0.1:8000/api/worker HOLDFAST_TOKEN=... python3 worker.py

It takes tasks of the kind "word-count": the payload is {"text": "..."}, the result the number of
times each word occurs. Copy it and replace count_words.
"""

import json
import os
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
import uuid


class Fenced(Exception):
    """The lease is over: somebody else has the task, or it was cancelled. Stop working on it."""


class Api:
    def __init__(self, url, token):
        self.url = url.rstrip("/")
        self.token = token

    def call(self, path, body, timeout=15):
        request = urllib.request.Request(
            f"{self.url}/{path}",
            data=json.dumps(body).encode(),
            headers={"authorization": f"Bearer {self.token}", "content-type": "application/json"},
            method="POST",
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            details = json.load(error).get("error", {})
            if details.get("code") in ("task_fenced", "task_not_found"):
                raise Fenced(details.get("message")) from None
            if details.get("retryable"):
                raise ConnectionError(details.get("message")) from None
            raise RuntimeError(details.get("message")) from None


class Task:
    """One attempt. A thread of its own keeps the lease while the work goes on."""

    def __init__(self, api, worker, claimed):
        self.api = api
        self.worker = worker
        self.id = claimed["id"]
        self.token = claimed["token"]
        self.payload = claimed["payload"]
        self.stopped = threading.Event()
        self._ended = threading.Event()
        self._beat_seconds = claimed["heartbeatMs"] / 1000
        # The lease is over when this has passed without an answer, whatever the reason.
        self._lease_seconds = claimed["leaseMs"] / 1000
        self._thread = threading.Thread(target=self._keep_alive, daemon=True)
        self._thread.start()

    def _keep_alive(self):
        last = time.monotonic()
        while not self._ended.wait(self._beat_seconds):
            try:
                lease = {"id": self.id, "token": self.token}
                [state] = self.api.call("heartbeat", {"worker": self.worker, "leases": [lease]})["leases"]
                last = time.monotonic()
                if "error" in state or state["isCancelRequested"]:
                    self.stopped.set()
            except OSError:
                if time.monotonic() - last >= self._lease_seconds:
                    self.stopped.set()

    def progress(self, fraction, message):
        self._write("progress", fraction=fraction, message=message)

    def output(self, text):
        self._write("output", parts=[{"type": "log", "data": text}])

    def complete(self, result):
        self._write("complete", result=result)

    def fail(self, message):
        self._write("fail", message=message)

    def release(self):
        self._write("release")

    def end(self):
        self._ended.set()
        self._thread.join()

    def _write(self, action, **body):
        deadline = time.monotonic() + self._lease_seconds
        while True:
            try:
                return self.api.call(f"tasks/{self.id}/{action}", {"token": self.token, **body})
            except OSError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.5)


def count_words(task):
    lines = task.payload["text"].splitlines() or [""]
    counts = {}
    for number, line in enumerate(lines, 1):
        if task.stopped.is_set():
            raise Fenced("asked to stop")
        for word in line.lower().split():
            counts[word] = counts.get(word, 0) + 1
        task.output(f"line {number}: {len(line)} characters\n")
        task.progress(number / len(lines), f"line {number} of {len(lines)}")
        time.sleep(task.payload.get("secondsPerLine", 0))
    return counts


def work(api, worker, claimed):
    task = Task(api, worker, claimed)
    try:
        task.complete(count_words(task))
    except Fenced:
        try:
            task.release()
        except Fenced:
            pass
    except Exception as error:
        try:
            task.fail(f"{type(error).__name__}: {error}")
        except (Fenced, OSError):
            pass
    finally:
        task.end()


def main():
    api = Api(os.environ["HOLDFAST_URL"], os.environ["HOLDFAST_TOKEN"])
    worker = f"python-{uuid.uuid4()}"
    is_stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: is_stopping.set())
    print("ready", flush=True)
    backoff = 0.5
    while not is_stopping.is_set():
        try:
            claim = {
                "worker": worker,
                "name": f"{socket.gethostname()} (Python)",
                "kinds": ["word-count"],
                "waitMs": 5000,
            }
            for claimed in api.call("claim", claim)["tasks"]:
                print("claimed", claimed["id"], flush=True)
                work(api, worker, claimed)
            backoff = 0.5
        except OSError as error:
            print("cannot reach the server:", error, flush=True)
            is_stopping.wait(backoff)
            backoff = min(backoff * 2, 10)
    api.call("bye", {"worker": worker})


if __name__ == "__main__":
    main()
