// What tests ask of a page from within it: loaded into the browser as it is, so that it knows the DOM and nothing else.

/** All elements that a selector fits. */
const found = (selector) => [...document.querySelectorAll(selector)]

/** `rgb(1, 2, 3)` as numbers; a fourth is the opacity. */
const colorOf = (text) => (text.match(/[\d.]+/g) ?? []).map(Number)

/** Relative luminance. WCAG 2.2 */
function luminanceOf(color) {
  const [red, green, blue] = color.map((value) => {
    const share = value / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/** From 1 to 21. WCAG 2.2 */
function contrastOf(one, other) {
  const [darker, lighter] = [luminanceOf(one), luminanceOf(other)].toSorted((a, b) => a - b)
  return (lighter + 0.05) / (darker + 0.05)
}

/** What an element stands on. */
function backgroundOf(element) {
  if (element === null) return [255, 255, 255]
  const color = colorOf(getComputedStyle(element).backgroundColor)
  return color[3] === 0 ? backgroundOf(element.parentElement) : color
}

/** What can be pressed or filled in, where it shows. */
const controls = () =>
  found('a, button, summary, input:not([type=hidden])').filter((control) => control.checkVisibility())

function* structureFaults() {
  if (document.documentElement.lang === '') yield 'the page says no language'
  if (document.title === '') yield 'the page has no title'
  if (found('main').length !== 1) yield 'expected one main'
  if (found('h1').length !== 1) yield 'expected one h1'
  const levels = found('h1, h2, h3, h4').map(({ tagName }) => Number(tagName.slice(1)))
  const leavesOut = levels.some((level, index) => level > (levels[index - 1] ?? 1) + 1)
  if (leavesOut) yield `a level of headings is left out: ${levels.join()}`
  const { scrollWidth, clientWidth } = document.documentElement
  if (scrollWidth > clientWidth) yield `the page is wider than the window: ${scrollWidth} > ${clientWidth}`
}

function* nameFaults() {
  const ids = found('[id]').map(({ id }) => id)
  if (new Set(ids).size !== ids.length) yield 'an id stands twice'
  for (const attribute of ['aria-labelledby', 'aria-describedby']) {
    for (const element of found(`[${attribute}]`)) {
      const id = element.getAttribute(attribute)
      if (!ids.includes(id)) yield `nothing has the id ${id}`
    }
  }
  for (const input of found('input:not([type=hidden])')) {
    if (input.labels.length === 0) yield `no label for the input ${input.name}`
  }
  for (const control of controls()) {
    if (control.tagName !== 'INPUT' && control.innerText.trim() === '')
      yield `no text in a ${control.tagName}`
  }
  for (const picture of found('svg')) {
    if (picture.getAttribute('aria-hidden') !== 'true') yield 'a picture is neither hidden nor named'
  }
}

function* sizeFaults() {
  for (const control of controls()) {
    const { height, width } = control.getBoundingClientRect()
    if (height < 24 || width < 24) yield `a ${control.tagName} of ${width} x ${height} is hard to hit`
  }
}

function* contrastFaults() {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (texts.nextNode()) {
    const { parentElement: parent, textContent } = texts.currentNode
    const text = textContent.trim()
    if (text === '' || !parent.checkVisibility()) continue
    const ratio = contrastOf(colorOf(getComputedStyle(parent).color), backgroundOf(parent))
    if (ratio < 4.5) yield `contrast ${ratio.toFixed(1)} of: ${text.slice(0, 30)}`
  }
  for (const control of found('a.button, button, input:not([type=hidden])')) {
    const border = colorOf(getComputedStyle(control).borderTopColor)
    const ratio = contrastOf(border, backgroundOf(control.parentElement))
    if (ratio < 3) yield `contrast ${ratio.toFixed(1)} of the border of a ${control.tagName}`
  }
}

globalThis.easgateTest = {
  /** What keeps people from using the page, one line each. WCAG 2.2 AA, as far as a program sees it. */
  faults: () => [...structureFaults(), ...nameFaults(), ...sizeFaults(), ...contrastFaults()],

  /** Where the keyboard is: its text, or its id where it has none, and the width of its outline in pixels. */
  focused: () => {
    const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement)
    return {
      name: document.activeElement.textContent.trim() || document.activeElement.id,
      outline: outlineStyle === 'none' ? 0 : Number.parseFloat(outlineWidth),
    }
  },
}
