import { createHash } from 'node:crypto'
import { html, type Html } from './html.ts'

/** A whole answer, for whoever holds the listener. Header names and values stand one after the other. */
export interface PageAnswer {
  readonly status: number
  readonly headers: readonly string[]
  readonly body: string
}

/** What is served under `/easgate/enroll`, by method and path. */
export type EnrollmentPages = (method: string, path: string) => PageAnswer

export interface EnrollmentOptions {
  /** The MDM's own enrolment, http or https; without it the page sends people to their administrator. */
  readonly url?: string | undefined
}

const style = `
:root { color-scheme: light dark }
body { max-width: 36rem; margin: 0 auto; padding: 1.5rem 1rem; font: 1.0625rem/1.5 system-ui, sans-serif }
h1 { font-size: 1.5rem; line-height: 1.25 }
li { margin: 0.5rem 0 }
a.enroll { display: inline-block; padding: 0.75rem 1.25rem; border-radius: 0.5rem; background: #0b57d0; color: #fff; font-weight: 600; text-decoration: none }
a.enroll:focus-visible { outline: 3px solid currentcolor; outline-offset: 3px }
@media (prefers-color-scheme: dark) { a.enroll { background: #a8c7fa; color: #062e6f } }
`

/** Whole, so that no white space of the page gets into what the digest is of. */
const styleElement: Html = { markup: `<style>${style}</style>` }

/** Nothing is loaded, run, framed or sent from this page; its one style is known by its digest. */
const contentSecurityPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const headers = [
  'Content-Type',
  'text/html; charset=utf-8',
  'Content-Security-Policy',
  contentSecurityPolicy,
  'X-Content-Type-Options',
  'nosniff',
  'Referrer-Policy',
  'no-referrer',
]

/** One static page, the same for everybody: it tells why mail does not come and what to do. */
export function createEnrollment({ url }: EnrollmentOptions): EnrollmentPages {
  const page: PageAnswer = { status: 200, headers, body: pageText(url) }
  return (method, path) => {
    if (path !== '/easgate/enroll' && path !== '/easgate/enroll/') return plain(404, 'not found\n')
    if (method !== 'GET' && method !== 'HEAD') {
      return plain(405, 'expected GET or HEAD\n', ['Allow', 'GET, HEAD'])
    }
    return page
  }
}

function plain(status: number, body: string, more: readonly string[] = []): PageAnswer {
  return { status, headers: ['Content-Type', 'text/plain; charset=utf-8', ...more], body }
}

function pageText(url: string | undefined): string {
  const first =
    url === undefined
      ? html`<li>Ask your administrator how to enrol this phone.</li>`
      : html`<li>
          <a class="enroll" href="${url}">Enrol this phone</a>
        </li>`
  const page = html`<!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>Set up this phone for mail</title>
        ${styleElement}
      </head>
      <body>
        <main>
          <h1>Set up this phone for mail</h1>
          <p>
            This mail server gives mail only to phones that your organisation manages. This phone is not one
            of them yet, or it does not meet the rules of your organisation.
          </p>
          <h2>What to do</h2>
          <ol>
            ${first}
            <li>
              If it is enrolled already, open the management app and correct what it reports: a passcode, an
              update, encryption.
            </li>
            <li>Wait a few minutes, then open your mail. Leave the mail account on the phone as it is.</li>
          </ol>
          <p>
            If mail still does not come, ask your administrator. Say which phone you use and when you tried.
          </p>
        </main>
      </body>
    </html> `
  return page.markup
}
