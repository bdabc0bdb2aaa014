"""The page's server: plain HTML, one script, PNGs. It listens on 127.0.0.1 only and answers only to that name."""

from __future__ import annotations

import threading
from typing import Any

from flask import Flask, Response, abort, jsonify, render_template, request

from paddleisa.datasets.images import decode_image
from paddleisa.errors import PaddleISAError, UsageError
from paddleisa.viewer.session import Ranking, Session
from paddleisa.visual.html import inline

HOST = "127.0.0.1"
MAX_UPLOAD = 64 << 20  # bytes


def create_app(session: Session, ranking: Ranking | None = None) -> Flask:
    """The page for ``session``; with a ``ranking`` it shows a data set's images, worst first."""
    app = Flask("paddleisa.viewer")
    app.config["MAX_CONTENT_LENGTH"] = MAX_UPLOAD
    app.jinja_env.auto_reload = False

    @app.before_request
    def only_this_machine() -> None:
        # A page elsewhere could otherwise reach us through a name of its own that resolves to 127.0.0.1.
        foreign = request.headers.get("Sec-Fetch-Site") == "cross-site"
        if foreign or request.host.partition(":")[0] not in (HOST, "localhost"):
            abort(403)

    @app.errorhandler(PaddleISAError)
    def told(error: PaddleISAError) -> tuple[Response, int]:
        return jsonify(error=str(error)), 400

    @app.get("/")
    def page() -> str:
        return render_template("view.html", models=session.models, engines=session.engines, ranked=ranking is not None)

    @app.post("/predict")
    def predict() -> Response:
        form, label = request.form, None
        if "file" in request.files:
            upload = request.files["file"]
            image = decode_image(upload.read(), upload.filename or "image.png")
        elif ranking is not None:
            image, label = ranking.sample(int(form["index"]))
        else:
            abort(400)
        scales = (0.75, 1.0, 1.25) if form.get("multi_scale") == "true" else (1.0,)
        flip = form.get("flip") == "true"
        return jsonify(_inline(session.predict(image, form["model"], form["engine"], flip, scales, label)))

    @app.get("/pixel")
    def pixel() -> Response:
        number, x, y = (request.args.get(key, type=int) for key in ("number", "x", "y"))
        if number is None or x is None or y is None:
            abort(400)
        return jsonify(_inline(session.pixel(number, x, y)))

    @app.get("/ranking")
    def images() -> Response:
        return jsonify(ranking.state() if ranking is not None else {})

    @app.get("/thumbnail/<int:index>")
    def thumbnail(index: int) -> Response:
        if ranking is None:
            abort(404)
        return Response(ranking.thumbnail(index), mimetype="image/png")

    return app


def serve(app: Flask, port: int, ranking: Ranking | None = None) -> None:
    """Serve until Ctrl-C; ranking the data set goes on beside it.

    Raises:
        UsageError: the port is taken or may not be used.
    """
    import socket

    from werkzeug.serving import make_server

    try:
        socket.create_server((HOST, port)).close()  # werkzeug would end the process itself
    except (OSError, OverflowError) as error:
        problem = f"port {port} cannot be used ({getattr(error, 'strerror', None) or error})"
        raise UsageError(problem, where="--port", fix="Choose another, or 0 for a free one") from error
    server = make_server(HOST, port, app, threaded=True)
    if ranking is not None:
        threading.Thread(target=ranking.run, name="ranking", daemon=True).start()
    print(f"look at http://{HOST}:{server.server_port}/ (Ctrl-C ends it)", flush=True)
    try:
        server.serve_forever()
    finally:
        server.server_close()


def _inline(answer: dict[str, Any]) -> dict[str, Any]:
    """PNGs as data addresses."""
    return {key: inline(value) if isinstance(value, bytes) else value for key, value in answer.items()}
