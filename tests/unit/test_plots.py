"""Plots are well-formed, show every point inside their frame, and are the same bytes for the same points."""

import base64
import re
import xml.etree.ElementTree as ET

from matching.plots import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, markdown_image, reliability_svg, risk_coverage_svg

RELIABILITY = [[0.01, 0.0, 100], [0.4, 0.5, 100], [0.99, 1.0, 100]]
RISK = [[0.1, 1.0], [0.5, 0.995], [1.0, 0.7]]
SVG = "{http://www.w3.org/2000/svg}"


def test_reliability_has_a_dot_for_each_bin() -> None:
    assert len(ET.fromstring(reliability_svg(RELIABILITY)).findall(f"{SVG}circle")) == 3


def test_all_lines_stay_inside_the_frame_even_without_an_error() -> None:
    for svg in (reliability_svg(RELIABILITY), risk_coverage_svg(RISK, 0.99, (0.5, 1.0))):
        for line in ET.fromstring(svg).findall(f"{SVG}polyline"):
            for x, y in (map(float, point.split(",")) for point in line.attrib["points"].split()):
                assert LEFT <= x <= WIDTH - RIGHT
                assert TOP <= y <= HEIGHT - BOTTOM


def test_the_mark_says_what_was_decided() -> None:
    assert "decided: 50.0% matched, 0.50% of them wrong" in risk_coverage_svg(RISK, 0.99, (0.5, 0.995))
    assert "decided" not in risk_coverage_svg(RISK, 0.99)


def test_the_allowed_share_of_errors_follows_the_target() -> None:
    assert "allowed: 0.5 %" in risk_coverage_svg(RISK, 0.995)


def test_colours_are_mid_tones_so_that_either_page_shows_them() -> None:
    for colour in re.findall(r'(?:fill|stroke)="#([0-9a-f]{6})', risk_coverage_svg(RISK, 0.99, (0.5, 0.995))):
        channels = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        luminance = sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
        assert 1.05 / (luminance + 0.05) > 2.5  # against white
        assert (luminance + 0.05) / 0.0565 > 3  # against a page of #0d1117


def test_no_points_give_an_empty_plot() -> None:
    assert ET.fromstring(reliability_svg([])).findall(f"{SVG}circle") == []


def test_the_markdown_image_carries_the_plot() -> None:
    svg = reliability_svg(RELIABILITY)
    data = re.fullmatch(r"!\[Reliability\]\(data:image/svg\+xml;base64,(.+)\)", markdown_image(svg, "Reliability"))
    assert data is not None
    assert base64.b64decode(data[1]).decode() == svg
