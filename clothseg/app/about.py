"""Texts of the About tab: classes, limits, model and API. Pure functions that return strings."""

import json

from clothseg.app.html import class_name, licence, model_name, swatch
from clothseg.app.i18n import tr
from clothseg.labels import ATR, LabelSet
from clothseg.postprocess.requirements import missing_rules


MEANINGS: dict[str, str] = {
    "Background": "Everything else.",
    "Hat": "Hats, caps and other headwear.",
    "Hair": "Hair on the head; beards count as face.",
    "Sunglasses": "Sunglasses and most other glasses.",
    "Upper-clothes": "Shirts, sweaters, jackets and coats, with their sleeves.",
    "Skirt": "Skirts.",
    "Pants": "Trousers, jeans, shorts, leggings and tights.",
    "Dress": "Dresses and other garments for the whole body.",
    "Belt": "Visible belts.",
    "Left-shoe": "The shoe on the wearer’s left foot.",
    "Right-shoe": "The shoe on the wearer’s right foot.",
    "Face": "Face and neck.",
    "Left-leg": "Bare skin of the wearer’s left leg.",
    "Right-leg": "Bare skin of the wearer’s right leg.",
    "Left-arm": "Bare skin of the wearer’s left arm and hand.",
    "Right-arm": "Bare skin of the wearer’s right arm and hand.",
    "Bag": "Bags of all kinds, with their straps.",
    "Scarf": "Scarves, shawls and ties around the neck.",
}
"""Descriptions of ATR's classes."""


def classes(labels: LabelSet) -> str:
    """Return a table of the classes and their ids, for ATR with descriptions."""
    if labels.names != ATR.names:
        names = "".join(f"<li>{swatch(name, labels)}{class_name(name)}</li>" for name in labels.names)
        return f'<h2>{tr("The classes")}</h2><ul class="classes">{names}</ul>'
    rows = "".join(
        f'<tr><th scope="row">{swatch(name, labels)}{tr(name)}</th><td>{tr(MEANINGS[name])}</td></tr>'
        for name in labels.names
    )
    return (
        f'<table class="found"><caption>{tr("The classes")}</caption><thead><tr><th scope="col">{tr("Class")}</th>'
        f'<th scope="col">{tr("What it includes")}</th></tr></thead><tbody>{rows}</tbody></table>'
    )


LIMITS = (
    "One whole, well visible person works best. For several people, turn on “Separate people”; where people "
    "overlap, some items are given to the wrong person.",
    "Left and right are the wearer’s own. They can be wrong for people seen from behind and for crossed legs.",
    "Sleeves count as part of the top, not as arms.",
    "Belts, scarves and glasses are missed more often than large garments. Dresses and tops are sometimes confused,"
    " especially in portraits.",
    "There are no classes for jewellery, underwear and gloves.",
    "The model does not recognise people. It must not be used to make decisions about a person.",
    "Downloads have the photo’s full size; the page shows smaller previews.",
    "Photos and results are deleted from this server within about an hour. Other visitors cannot see them.",
)
"""Hints on the model's limits."""


SIDES = LIMITS[1]

OF_ATR = LIMITS[2:5]
"""Hints that apply only to ATR's classes."""


def limits(labels: LabelSet) -> str:
    """Return `LIMITS` as a list; those of ATR's classes only for ATR's."""
    told = list(LIMITS) if labels.names == ATR.names else [limit for limit in LIMITS if limit not in OF_ATR]
    if not labels.pairs:
        told = [limit for limit in told if limit != SIDES]
    points = "".join(f"<li>{tr(limit)}</li>" for limit in (*told, *missing_rules(labels)))
    return f'<h2>{tr("Good to know")}</h2><ul class="plain">{points}</ul>'


def model(name: str, revision: str | None, license_note: str) -> str:
    """Return the name and licence of the served model."""
    return f"""<h2>{tr("The model")}</h2><p>{model_name(name, revision)}. {licence(license_note)}</p>
<p>{tr("clothseg itself is free software under the Apache License 2.0.")}</p>"""


def manual(address: str, labels: LabelSet = ATR) -> str:
    """Return Markdown on how programs call the endpoints.

    Args:
        address: What `gradio_client.Client` connects to: a Space's name or the app's URL.
        labels: The model's classes.
    """
    examples = ["Dress", "Bag"] if labels.names == ATR.names else list(labels.garments[:2])
    classes = json.dumps(examples, ensure_ascii=False)
    url = address if address.startswith("http") else f"https://{address.replace('/', '-').replace('.', '-')}.hf.space"
    return f"""## Use it from a program

`/segment`, `/cutout`, `/items` and `/batch` do what the page does, with the same options and the same results. From
Python, with `pip install gradio_client`:

```python
from gradio_client import Client, handle_file

client = Client("{address}")
overlay, label_map, summary = client.predict(handle_file("holiday.jpg"), api_name="/segment")
cutout = client.predict(handle_file("holiday.jpg"), {classes}, {{"crop": True}}, api_name="/cutout")
items, coco, _ = client.predict(handle_file("holiday.jpg"), people="all", api_name="/items")
```

`label_map` is a PNG whose pixel values are the class ids, `cutout` a transparent PNG, both of the photo’s own size
unless cropped. From JavaScript, with `npm install @gradio/client` (in
Node, end with `process.exit()`: the client keeps its connection open):

```javascript
import {{ Client, handle_file }} from "@gradio/client";

const client = await Client.connect("{address}");
const {{ data }} = await client.predict("/cutout", {{ photo: handle_file("holiday.jpg"), classes: {classes} }});
console.log(data[0].url);
```

Over plain HTTP:

```bash
curl -F "files=@holiday.jpg" {url}/gradio_api/upload
# ["/tmp/gradio/…/holiday.jpg"], for use in:
curl -H "Content-Type: application/json" {url}/gradio_api/call/segment \\
  -d '{{"data": [{{"path": "/tmp/gradio/…/holiday.jpg", "meta": {{"_type": "gradio.FileData"}}}}]}}'
# {{"event_id": "…"}}, for use in:
curl -N {url}/gradio_api/call/segment/EVENT_ID
```

Assistants that speak MCP find them as tools at `{url}/gradio_api/mcp/`.
"""
