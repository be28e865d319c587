import { createHash } from 'node:crypto'
import type { Language } from '#config/languages.ts'
import { html, type Html } from './html.ts'

/** A whole answer, for whoever holds the listener. Header names and values stand one after the other. */
export interface PageAnswer {
  readonly status: number
  readonly headers: readonly string[]
  readonly body: string
}

/** Contrast of text to its background is 7:1 and better, of borders of controls 3:1 and better, in both schemes. */
const style = `
:root { color-scheme: light dark; --page: #f2f4f8; --card: #fff; --text: #1a1c20; --soft: #43474e; --line: #c9cdd4; --edge: #6b7078; --accent: #0b4aad; --on-accent: #fff; --good: #e2f4e5; --on-good: #0c3a17; --note: #fdf0d0; --on-note: #442f00 }
@media (prefers-color-scheme: dark) {
  :root { --page: #101217; --card: #1b1e25; --text: #eceef2; --soft: #c5c9d1; --line: #3b404a; --edge: #9298a3; --accent: #a9c7ff; --on-accent: #052b6b; --good: #123a1e; --on-good: #cdf2d5; --note: #40310b; --on-note: #fbe6b2 }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--text); font: 1.0625rem/1.55 system-ui, sans-serif; overflow-wrap: anywhere }
main { max-width: 38rem; margin: 0 auto; padding: 1rem 1rem 3rem }
h1 { margin: 1rem 0; font-size: 1.625rem; line-height: 1.25 }
h2 { margin: 0 0 0.5rem; font-size: 1.1875rem; line-height: 1.3 }
p { margin: 0.5rem 0 }
section, details, dl { margin: 1rem 0; padding: 1rem 1.125rem; border: 1px solid var(--line); border-radius: 0.75rem; background: var(--card) }
dl { display: grid; grid-template-columns: auto 1fr; gap: 0.25rem 1rem }
dt { color: var(--soft) }
dd { margin: 0; font-weight: 600 }
ol, ul { margin: 0.5rem 0; padding-left: 1.5rem }
li { margin: 0.5rem 0 }
li:last-child { margin-bottom: 0 }
.status { display: flex; gap: 0.75rem; margin: 1rem 0; padding: 0.875rem 1.125rem; border-left: 0.375rem solid; border-radius: 0.5rem }
[tabindex]:focus { outline: none }
.status p, .status ul, :is(section, details) > :last-child { margin-bottom: 0 }
.status p { margin-top: 0 }
.status p + p { margin-top: 0.5rem }
.status svg { flex: none; width: 1.5rem; height: 1.5rem }
.good { background: var(--good); color: var(--on-good) }
.note { background: var(--note); color: var(--on-note) }
.button, button { display: block; width: 100%; min-height: 3rem; margin: 1rem 0 0; padding: 0.75rem 1.25rem; border: 2px solid var(--accent); border-radius: 0.625rem; background: transparent; color: var(--accent); font: inherit; font-weight: 600; line-height: 1.35; text-align: center; text-decoration: none; cursor: pointer }
.primary { background: var(--accent); color: var(--on-accent) }
label { display: block; font-weight: 600 }
input { width: 100%; min-height: 3rem; margin: 0.375rem 0; padding: 0.5rem 0.75rem; border: 2px solid var(--edge); border-radius: 0.5rem; background: var(--card); color: var(--text); font: 1.25rem/1.4 ui-monospace, monospace; letter-spacing: 0.08em; text-transform: uppercase }
summary { min-height: 1.75rem; font-size: 1.1875rem; font-weight: 600; cursor: pointer }
:is(a, button, input, summary):focus-visible { outline: 3px solid var(--accent); outline-offset: 3px }
.soft { color: var(--soft) }
.code { font: 600 1.75rem/1.4 ui-monospace, monospace; letter-spacing: 0.06em }
@media (min-width: 34rem) { .button, button { display: inline-block; width: auto } }
`

/** Whole, so that no white space of the page gets into what the digest is of. */
const styleElement: Html = { markup: `<style>${style}</style>` }

/** Nothing is loaded, run or framed, and forms come back to us alone; the one style is known by its digest. */
const contentSecurityPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ')

const headers = [
  'Content-Type',
  'text/html; charset=utf-8',
  'Content-Security-Policy',
  contentSecurityPolicy,
  'X-Frame-Options',
  'DENY',
  'X-Content-Type-Options',
  'nosniff',
  'Referrer-Policy',
  'no-referrer',
  'Cache-Control',
  'no-store',
]

/** What makes one page. */
export interface PageContent {
  readonly title: string
  readonly content: Html
}

/** A page as an answer; what it leads to and shows is nobody else's to know, so that nothing is kept or passed on. */
export function pageAnswer(
  status: number,
  language: Language,
  { title, content }: PageContent,
  more: readonly string[] = [],
): PageAnswer {
  const page = html`<!DOCTYPE html>
    <html lang="${language}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>${title}</title>
        ${styleElement}
      </head>
      <body>
        <main>${content}</main>
      </body>
    </html> `
  return { status, headers: [...headers, 'Content-Language', language, ...more], body: page.markup }
}

/** An answer of one line, for what no browser asks by itself. */
export function plainAnswer(status: number, body: string, more: readonly string[] = []): PageAnswer {
  return {
    status,
    headers: ['Content-Type', 'text/plain; charset=utf-8', 'Cache-Control', 'no-store', ...more],
    body,
  }
}
