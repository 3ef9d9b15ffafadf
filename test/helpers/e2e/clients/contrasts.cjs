// Runs in the page: the contrast of every text that can be seen, also of SVG, to what is painted behind it.
(() => {
  const parse = (color) => {
    const numbers = /^rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)$/.exec(color);
    if (numbers === null) throw new Error(`a colour of which nobody knows what it is: ${color}`);
    const [red, green, blue, alpha = 1] = numbers
      .slice(1)
      .filter((one) => one !== undefined)
      .map(Number);
    return { channels: [red, green, blue], alpha };
  };
  const over = (front, back) => front.channels.map((one, i) => one * front.alpha + back[i] * (1 - front.alpha));
  const isDrawn = (element) => element instanceof SVGElement && !(element instanceof SVGSVGElement);
  const paintOf = (element) => {
    const style = getComputedStyle(element);
    const paint = isDrawn(element) ? style.fill : style.backgroundColor;
    return paint === 'none' ? 'rgba(0, 0, 0, 0)' : paint;
  };
  // https://www.w3.org/TR/WCAG22/#dfn-relative-luminance
  const luminance = (channels) => {
    const [red, green, blue] = channels
      .map((one) => one / 255)
      .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const backgroundAt = (element, x, y) => {
    const stack = document.elementsFromPoint(x, y);
    const at = stack.findIndex((one) => one === element || one.contains(element));
    if (at < 0) throw new Error(`something covers, or it is out of sight: ${element.textContent}`);
    // a text of SVG is not its own background
    const behind = stack.slice(at).filter((one) => !(isDrawn(one) && one.contains(element)));
    return behind.map((one) => parse(paintOf(one))).reduceRight((back, front) => over(front, back), [255, 255, 255]);
  };

  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const element = node.parentElement;
    const text = node.textContent.trim();
    if (text === '' || element.closest('title, desc, symbol')) continue;
    if (!element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    element.scrollIntoView({ block: 'start', inline: 'start' });
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = [...range.getClientRects()].find(({ width, height }) => width > 0 && height > 0);
    if (box === undefined) continue;
    const back = backgroundAt(element, box.left + Math.min(box.width / 2, 4), box.top + box.height / 2);
    const style = getComputedStyle(element);
    const front = over(parse(isDrawn(element) ? style.fill : style.color), back);
    const [darker, lighter] = [luminance(front), luminance(back)].sort((a, b) => a - b);
    found.push({ text, contrast: (lighter + 0.05) / (darker + 0.05) });
  }
  return found;
})();
