import type { Setting } from '#policy/compliance/checks.ts'
import { shownCode } from './codes.ts'
import type { PageContent } from './document.ts'
import { guidanceOf, modelName, stepsFor, systemName, type HeldDevice } from './held-device.ts'
import { html, type Html } from './html.ts'
import type { PageTexts } from './texts.ts'

/** What the page without a device has to tell besides. */
export type StartNotice = 'badLink' | 'badCode' | 'tooMany'

/** What came of a check. */
export interface CheckResult {
  readonly kind: 'unchanged' | 'changed' | 'failed'
  /** What was wanting before it and is there now. */
  readonly corrected: readonly Setting[]
}

/** What the page of a device shows beside the device itself. */
export interface DeviceExtras {
  /** Why it gets no mail, in the user's words. */
  readonly why: string
  /** The enrolment of the device management for its system. */
  readonly url: string | undefined
  /** The page on which a code is entered. */
  readonly publicUrl: string
  readonly checked?: CheckResult
  /** A code that was asked for; undefined in it where none can be made now. */
  readonly asked?: { readonly code: string | undefined }
}

const nothing: Html = { markup: '' }

/** Where a browser comes without a link, or with one that leads nowhere: the same for everybody. */
export function startPage(
  texts: PageTexts,
  { url, notice }: { readonly url?: string | undefined; readonly notice?: StartNotice },
): PageContent {
  const { start, device } = texts
  const codeNotice = notice === 'badCode'
  const content = html`
    ${notice === undefined ? nothing : status('note', html`<p>${start[notice]}</p>`)}
    <h1>${start.title}</h1>
    <p>${start.intro}</p>
    <section aria-labelledby="steps">
      <h2 id="steps">${device.steps}</h2>
      ${list('ul', start.steps)} ${url === undefined ? nothing : link(url, device.manage)}
    </section>
    <section aria-labelledby="code-title">
      <h2 id="code-title">${start.codeTitle}</h2>
      <form method="post" action="/easgate/enroll/">
        <label for="code">${start.codeLabel}</label>
        <input
          id="code"
          name="code"
          required
          maxlength="20"
          autocomplete="off"
          autocapitalize="characters"
          spellcheck="false"
          aria-invalid="${codeNotice ? 'true' : 'false'}"
          aria-describedby="code-hint"
        />
        <p id="code-hint" class="soft">${start.codeHint}</p>
        <button>${start.codeOpen}</button>
      </form>
    </section>
  `
  return { title: start.title, content }
}

/** Of one device without access: what it is, what is wrong, and what its user can do. */
export function devicePage(texts: PageTexts, held: HeldDevice, extras: DeviceExtras): PageContent {
  const { device } = texts
  const { url, why, checked, asked, publicUrl } = extras
  const content = html`
    ${checked === undefined ? nothing : checkedStatus(texts, checked)}
    <h1>${device.title}</h1>
    <dl>
      <dt>${device.model}</dt>
      <dd>${modelName(held) ?? device.unknown}</dd>
      <dt>${device.system}</dt>
      <dd>${systemName(held) ?? device.unknown}</dd>
    </dl>
    <section aria-labelledby="why">
      <h2 id="why">${device.why}</h2>
      <p>${why}</p>
      ${held.wanting.length === 0 ? nothing : named(device.wanting, held.wanting, texts)}
    </section>
    <section aria-labelledby="steps">
      <h2 id="steps">${device.steps}</h2>
      ${list('ol', stepsFor(held, texts))} ${managementLink(texts, held, url)}
    </section>
    <section aria-labelledby="check">
      <h2 id="check">${device.checkTitle}</h2>
      <p>${device.checkHint}</p>
      <form method="post">
        <input type="hidden" name="was" value="${standingText(held)}" />
        <button name="do" value="check">${device.check}</button>
      </form>
    </section>
    ${asked === undefined ? codeOffer(texts) : codeAnswer(texts, asked.code, publicUrl)}
    <p class="soft">${device.help}</p>
  `
  return { title: device.title, content }
}

/** Of a device that was let in; says nothing of which. */
export function releasedPage({ released }: PageTexts): PageContent {
  const content = html`
    ${status('good', html`<p>${released.text}</p>`)}
    <h1>${released.title}</h1>
    <p>${released.close}</p>
  `
  return { title: released.title, content }
}

/** What a page said of the device, for its form to give back; `settingsOf` reads it. */
export function standingText({ reason, wanting }: HeldDevice): string {
  return [reason, ...wanting].join(' ')
}

/** Both at once: which colour it has is nothing that must be seen. */
function status(kind: 'good' | 'note', content: Html): Html {
  const sign = kind === 'good' ? html`<path d="m7 12.5 3.5 3.5L17 9" />` : html`<path d="M12 7v6m0 3.5v.5" />`
  return html`<div class="status ${kind}" role="status" tabindex="-1" autofocus>
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" aria-hidden="true">
      <circle cx="12" cy="12" r="10" />
      ${sign}
    </svg>
    <div>${content}</div>
  </div>`
}

function checkedStatus(texts: PageTexts, { kind, corrected }: CheckResult): Html {
  const done = corrected.length === 0 ? nothing : named(texts.checked.corrected, corrected, texts)
  return status(
    'note',
    html`<p>${texts.checked[kind]}</p>
      ${done}`,
  )
}

/** A list of settings under a line that says what they are. */
function named(title: string, settings: readonly Setting[], texts: PageTexts): Html {
  const names = settings.map((setting) => texts.settings[setting])
  return html`<p>${title}</p>
    ${list('ul', names)}`
}

function managementLink({ device }: PageTexts, { reason }: HeldDevice, url: string | undefined): Html {
  if (url === undefined) return nothing
  switch (guidanceOf(reason)) {
    case 'enroll':
      return link(url, device.enroll)
    case 'comply':
      return link(url, device.manage)
    default:
      return nothing
  }
}

function link(url: string, text: string): Html {
  return html`<a class="button primary" href="${url}" rel="noreferrer">${text}</a>`
}

function list(kind: 'ol' | 'ul', items: readonly string[]): Html {
  const entries = items.map((item) => html`<li>${item}</li>`)
  return kind === 'ol'
    ? html`<ol>
        ${entries}
      </ol>`
    : html`<ul>
        ${entries}
      </ul>`
}

function codeOffer({ code }: PageTexts): Html {
  return html`<details>
    <summary>${code.title}</summary>
    <p>${code.hint}</p>
    <form method="post"><button name="do" value="code">${code.show}</button></form>
  </details>`
}

/** An address that breaks behind a slash where it does not fit into a line. */
function breakable(url: string): readonly Html[] {
  return url.split(/(?<=\/)/).map((part) => html`${part}<wbr />`)
}

function codeAnswer({ code }: PageTexts, made: string | undefined, publicUrl: string): Html {
  const answer =
    made === undefined
      ? html`<p>${code.failed}</p>
          <form method="post"><button name="do" value="code">${code.show}</button></form>`
      : html`<p>${code.open}</p>
          <p><strong>${breakable(publicUrl)}</strong></p>
          <p>${code.enter}</p>
          <p class="code">${shownCode(made)}</p>
          <p class="soft">${code.validity}</p>`
  return html`<section aria-labelledby="code-title">
    <h2 id="code-title" tabindex="-1" autofocus>${code.title}</h2>
    ${answer}
  </section>`
}
