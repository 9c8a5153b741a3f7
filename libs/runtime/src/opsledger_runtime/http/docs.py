"""A page that lists every endpoint, made from the OpenAPI document; needs no script and no other host."""

from html import escape
from typing import Any

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width">
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #222 }}
h2 {{ border-bottom: 1px solid #ccc; margin-top: 2rem }}
code {{ font: 14px ui-monospace, monospace }}
summary {{ cursor: pointer; padding: .2rem 0 }}
summary b {{ display: inline-block; width: 4.5rem }}
details p, details ul {{ margin: .3rem 0 .6rem 4.5rem }}
</style></head><body>
<h1>{title}</h1>
<p>The machine-readable form of this page is <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1).
Every error is a problem document (RFC 9457).</p>
{body}
</body></html>
"""


def page(document: dict[str, Any]) -> str:
    """HTML of an OpenAPI document."""
    by_tag: dict[str, list[str]] = {}
    for path, operations in document.get("paths", {}).items():
        for method, operation in operations.items():
            tag = (operation.get("tags") or ["platform"])[0]
            by_tag.setdefault(tag, []).append(_operation(method, path, operation))
    body = "".join(f"<h2>{escape(tag)}</h2>{''.join(found)}" for tag, found in sorted(by_tag.items()))
    return _PAGE.format(title=escape(document["info"]["title"]), body=body)


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    told = escape(operation.get("description") or operation.get("summary") or "")
    parameters = "".join(
        f"<li><code>{escape(item['name'])}</code> ({escape(item['in'])}{', required' if item.get('required') else ''})"
        f" {escape(item.get('description', ''))}</li>"
        for item in operation.get("parameters", [])
    )
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    body = schema.get("$ref", "").rsplit("/", 1)[-1] or schema.get("title", "")
    shown = f"<p>Body: <code>{escape(body)}</code></p>" if body else ""
    return (
        f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code></summary>"
        f"<p>{told}</p>{shown}<ul>{parameters}</ul></details>"
    )
