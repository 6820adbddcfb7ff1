"""Tasks of the real Celery worker in the conformance tests."""

import os
import time

from celery import Celery

app = Celery("python_tasks", broker=os.environ["REDIS"], backend=os.environ["REDIS"])
app.conf.update(task_default_queue="py", task_routes={"cpp.*": {"queue": "cpp"}})


@app.task(name="py.add")
def add(a, b):
    return a + b


@app.task(name="py.slow_add")
def slow_add(a, b):
    time.sleep(0.7)
    return a + b


@app.task(name="py.total")
def total(values):
    return sum(values)


@app.task(name="py.echo")
def echo(value):
    return value


@app.task(name="py.fail")
def fail(why):
    raise ValueError(why)


@app.task(name="py.flaky", bind=True)
def flaky(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0.1)
    return self.request.retries


@app.task(name="py.sleep", track_started=True)
def sleep(seconds):
    time.sleep(seconds)
    return seconds


@app.task(name="py.note")
def note(failed_id):
    return f"noted {failed_id}"


@app.task(name="py.about", bind=True)
def about(self):
    return {"tenant": getattr(self.request, "tenant", None), "shadow": self.request.shadow}


@app.task(name="py.mark")
def mark(file, text):
    with open(file, "a") as out:
        out.write(text + "\n")
