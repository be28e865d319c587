import t from 'tap'
import { configSchema } from '#config/schema.ts'

const rest = { backends: {}, routing: { default: 'main' } }
const read = (publicUrl: string) => configSchema.safeParse({ ...rest, enrollment: { publicUrl } })

void t.test('enrollment.publicUrl is the page of this proxy, with a slash at its end', async (t) => {
  for (const written of [
    'https://mail.example.com/easgate/enroll',
    'https://mail.example.com/easgate/enroll/',
  ]) {
    t.equal(read(written).data?.enrollment.publicUrl, 'https://mail.example.com/easgate/enroll/')
  }
  t.equal(read('http://127.0.0.1:8080/easgate/enroll').success, true)
  for (const other of [
    'https://mail.example.com/',
    'https://mail.example.com/help/easgate/enroll/',
    'https://mail.example.com/easgate/enrollment/',
    'https://mail.example.com/easgate/enroll/?lang=de',
    'https://mail.example.com/easgate/enroll/#top',
    'https://user@mail.example.com/easgate/enroll/',
    'ftp://mail.example.com/easgate/enroll/',
  ]) {
    t.equal(read(other).success, false, other)
  }
})

void t.test('the other keys of enrollment are strict', async (t) => {
  const { enrollment } = configSchema.parse(rest)
  t.strictSame(enrollment, { urls: {}, language: 'en', textsFiles: {}, linkDays: 14 })
  for (const faulty of [
    { urls: { Symbian: 'https://mdm.example.com/' } },
    { urls: { iOS: 'companyportal://enroll' } },
    { language: 'it' },
    { textsFiles: { it: 'it.yaml' } },
    { linkDays: 0 },
    { linkDays: 366 },
    { linkHours: 1 },
  ]) {
    t.equal(configSchema.safeParse({ ...rest, enrollment: faulty }).success, false, JSON.stringify(faulty))
  }
})
