import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isElement, type QualifiedName, type WbxmlElement } from '#eas/wbxml/element.ts'
import { scanWbxml } from '#eas/wbxml/scan.ts'

/** A tree as the JSON fixtures write it: name, then content; bytes are `{ "opaque": hex }`. */
export type TreeJson = [name: QualifiedName, ...content: (TreeJson | string | { opaque: string })[]]

/** An element as the scan shows it: name, depth, text before the first child. */
export type Visit = [name: string, depth: number, text: string]

/** A body of a real session. */
export interface CaptureBody {
  readonly name: string
  readonly bytes: Buffer
}

interface CaptureMessage {
  readonly headers: Readonly<Record<string, string>>
  readonly bodyHex: string
}

const fixtures = join(import.meta.dirname, '..', 'fixtures')

/** A JSON file of test/fixtures/wbxml. */
export function wbxmlFixture(file: string): unknown {
  return JSON.parse(readFileSync(join(fixtures, 'wbxml', file), 'utf8'))
}

/** The bytes of a hex text, in which spaces may part what belongs together. */
export function hexBytes(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex')
}

/** A tree of a fixture, as the codec has it. */
export function treeFromJson([name, ...content]: TreeJson): WbxmlElement {
  return {
    name,
    content: content.map((part) => {
      if (typeof part === 'string') return part
      return Array.isArray(part) ? treeFromJson(part) : new Uint8Array(hexBytes(part.opaque))
    }),
  }
}

/** A tree of the codec, as a fixture writes it. */
export function treeToJson({ name, content }: WbxmlElement): TreeJson {
  return [
    name,
    ...content.map((part) => {
      if (typeof part === 'string') return part
      return isElement(part) ? treeToJson(part) : { opaque: Buffer.from(part).toString('hex') }
    }),
  ]
}

/** Every WBXML body of test/fixtures/captures: requests, responses, and part 0 of multipart responses. */
export function captureBodies(): CaptureBody[] {
  const directory = join(fixtures, 'captures')
  return readdirSync(directory).flatMap((file) => {
    const capture = JSON.parse(readFileSync(join(directory, file), 'utf8')) as {
      name: string
      request: CaptureMessage
      response: CaptureMessage
    }
    return (['request', 'response'] as const).flatMap((side) => {
      const bytes = wbxmlOf(capture[side])
      return bytes === undefined ? [] : [{ name: `${capture.name} ${side}`, bytes }]
    })
  })
}

/** One body of {@link captureBodies}, as in `14.1-plain-Settings request`. */
export function captureBody(name: string): Buffer {
  const found = captureBodies().find((body) => body.name === name)
  if (found === undefined) throw new Error(`no capture ${name}`)
  return found.bytes
}

/** Everything that the scan shows of a body, and whether it came to the end of it. */
export function visitsOf(bytes: Uint8Array): { visits: Visit[]; whole: boolean } {
  const visits: Visit[] = []
  const whole = scanWbxml(bytes, (name, depth, text) => {
    visits.push([name, depth, text()])
    return false
  })
  return { visits, whole }
}

/** What the scan should show of a decoded body. */
export function visitsExpected(root: WbxmlElement, depth = 0): Visit[] {
  let text = ''
  for (const part of root.content) {
    if (isElement(part)) break
    text += Buffer.from(part).toString()
  }
  const inner = root.content.filter(isElement).flatMap((part) => visitsExpected(part, depth + 1))
  return [[root.name, depth, text], ...inner]
}

function wbxmlOf({ headers, bodyHex }: CaptureMessage): Buffer | undefined {
  const body = hexBytes(bodyHex)
  if (body.length === 0) return undefined
  switch (headers['Content-Type']) {
    case 'application/vnd.ms-sync.wbxml':
      return body
    case 'application/vnd.ms-sync.multipart': {
      const start = body.readUInt32LE(4)
      return body.subarray(start, start + body.readUInt32LE(8))
    }
    default:
      return undefined
  }
}
