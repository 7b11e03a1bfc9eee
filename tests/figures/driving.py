"""How the tests drive a figure in the browser: by the names of its controls, and by the numbers it shows."""

CELL = (  # the theme puts outputs into these elements, and its dark mode a pale panel behind them
    '<div class="bd-content"><div class="cell_output"><div class="output text_html">{}</div></div></div>'
)
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><title>Figures</title><style>
  body {{ margin: 0 16px; font-family: sans-serif; color: #222832; max-width: 720px }}
  html[data-theme=dark] body {{ background: #121212; color: #ced6dd }}
  html[data-theme=dark] .bd-content div.cell_output .text_html:not(:has(table.dataframe)) {{ background: #ced6dd }}
</style>
<script>if (matchMedia("(prefers-color-scheme: dark)").matches) document.documentElement.dataset.theme = "dark"</script>
<main><h1>Figures</h1>{}</main>"""


def call(page, figure, name, *values):
    """Run a function that the figure's module exports."""
    return page.evaluate(
        """async ([code, name, values]) => {
            const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
            return (await import(url))[name](...values);
        }""",
        [figure.code(), name, values],
    )


def numbers(page, selector):
    """The full values of the numbers shown inside an element."""
    return [float(x) for x in page.locator(f"{selector} data").evaluate_all("all => all.map((one) => one.value)")]


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


def slider(page, name):
    return page.get_by_role("slider", name=name)


def press(locator, *keys):
    for key in keys:
        locator.press(key)
