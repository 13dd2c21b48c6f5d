"""How much the colours of a page's controls differ from what is around them, by WCAG 2.2, from computed styles."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Page

ENOUGH = 3.0  # of a control and its state, WCAG 1.4.11; axe-core measures the 4.5 of text
# Each shape of a control has one of these: an edge, or a surface of its own.
MEASURE = """() => {
  const pixel = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const parts = (color) => {
    pixel.clearRect(0, 0, 1, 1);
    pixel.fillStyle = color;
    pixel.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = pixel.getImageData(0, 0, 1, 1).data;
    return { rgb: [red, green, blue], alpha: alpha / 255 };
  };
  const over = (top, below) => top.rgb.map((part, at) => part * top.alpha + below[at] * (1 - top.alpha));
  const behind = (element) => { // the colour of the surfaces below, without pictures
    if (!element) return [255, 255, 255];
    return over(parts(getComputedStyle(element).backgroundColor), behind(element.parentElement));
  };
  const luminance = (rgb) => rgb.map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const ratio = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const colors = (text) => text.match(/(?:rgba?|color|oklch|oklab)\\([^)]*\\)|#[0-9a-f]+/gi) ?? [];
  const edges = (element) => {
    const { borderTopWidth, borderTopStyle, borderTopColor, boxShadow, backgroundColor } = getComputedStyle(element);
    const found = [backgroundColor, ...colors(boxShadow.includes('inset') ? boxShadow : '')];
    if (parseFloat(borderTopWidth) >= 1 && borderTopStyle !== 'none') found.push(borderTopColor);
    const below = behind(element.parentElement);
    return Math.max(...found.map((color) => ratio(over(parts(color), below), below)));
  };
  const isShown = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true })
    && element.getBoundingClientRect().width > 1 && !element.closest(':disabled');
  const shown = (selector) => [...document.querySelectorAll(selector)].filter(isShown);
  const measured = [];
  const note = (what, element, found) => measured.push({
    what: `${what}: ${element.outerHTML.slice(0, 90)}`, ratio: Math.round(found * 100) / 100 });
  const fields = 'input:not([type=radio], [type=checkbox], [type=range], .level-input), select, textarea';
  for (const element of shown(fields)) {
    const box = element.closest('.search, .composer, label') ?? element;
    note('edge', element, Math.max(edges(element), edges(box)));
  }
  const surfaces = '.switch-track, .bar-room, .group-bar, .light-tile';
  for (const element of shown(surfaces)) note('edge', element, edges(element));
  for (const element of shown('.switch-track')) {
    const thumb = parts(getComputedStyle(element, '::before').backgroundColor);
    note('thumb', element, ratio(over(thumb, behind(element)), behind(element)));
  }
  for (const element of shown('.chip input:checked + span')) note('chosen', element, edges(element));
  for (const element of shown('.bar-handle, .tile-handle')) {
    if (getComputedStyle(element).opacity === '0') continue;
    const fill = element.parentElement.querySelector('.bar-fill, .tile-fill');
    const below = behind(fill.parentElement);
    const { backgroundImage, opacity } = getComputedStyle(fill);
    const seen = getComputedStyle(fill.parentElement).opacity !== '0' && opacity !== '0';
    const room = seen ? colors(backgroundImage).map((color) => over(parts(color), below)) : [below];
    const handle = over(parts(getComputedStyle(element).backgroundColor), below);
    note('handle', element, Math.min(...room.map((color) => ratio(handle, color))));
  }
  return measured;
}"""


async def controls(page: Page) -> list[dict[str, Any]]:
    """Return each part of a control that is seen, as `what`, and its contrast as `ratio`."""
    found: list[dict[str, Any]] = await page.evaluate(MEASURE)
    return found


async def too_faint(page: Page) -> list[dict[str, Any]]:
    """Return those with less than 3 : 1."""
    return [control for control in await controls(page) if control["ratio"] < ENOUGH]
