"""The page's Gradio theme; ui.css has what a theme cannot set."""

import gradio as gr


def paper_and_ink() -> gr.themes.Base:
    """Return a theme in neutral colours, so that nearly all colour on the page comes from the photo and the
    palette."""
    # Fonts that Gradio serves itself, since a web font would make the page wait for another host. Weight 700 for bold,
    # because the 600 of these files lack most letters.
    text, code = (gr.themes.LocalFont(name, weights=(400, 700)) for name in ("IBM Plex Sans", "IBM Plex Mono"))
    ink, paper = "*neutral_900", "*neutral_100"
    return gr.themes.Base(
        primary_hue="orange",
        neutral_hue="stone",
        radius_size="lg",
        font=(text, "system-ui", "sans-serif"),
        font_mono=(code, "monospace"),
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        background_fill_primary_dark="*neutral_900",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_width="1px",
        block_border_color="*neutral_200",
        block_border_color_dark="*neutral_800",
        block_shadow="0 1px 2px rgb(28 25 23 / 5%)",
        block_label_text_color="*neutral_600",
        block_label_text_color_dark="*neutral_300",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        checkbox_border_color="*neutral_400",
        checkbox_border_color_dark="*neutral_500",
        checkbox_background_color_dark="*neutral_900",
        input_background_fill_dark="*neutral_800",
        button_primary_background_fill=ink,
        button_primary_border_color=ink,
        button_primary_border_color_dark=paper,
        button_primary_background_fill_hover="*neutral_700",
        button_primary_text_color="white",
        button_primary_background_fill_dark=paper,
        button_primary_background_fill_hover_dark="white",
        button_primary_text_color_dark=ink,
        button_secondary_background_fill="white",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_700",
        button_border_width="1px",
    )
