"""Tasks of the real Celery worker in the conformance tests."""

import os

from celery import Celery

app = Celery("python_tasks", broker=os.environ["REDIS"], backend=os.environ["REDIS"])
app.conf.update(task_default_queue="py", task_routes={"cpp.*": {"queue": "cpp"}})


@app.task(name="py.add")
def add(a, b):
    return a + b


@app.task(name="py.total")
def total(values):
    return sum(values)


@app.task(name="py.fail")
def fail(why):
    raise ValueError(why)


@app.task(name="py.note")
def note(failed_id):
    return f"noted {failed_id}"
