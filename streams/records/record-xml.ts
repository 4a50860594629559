import type { ShownRecord } from './shown-record.ts'

/*
 * Records as XML 1.0 (docs/attribute-stream.xsd).
 *
 *   records   = <records xmlns="…"> *record </records>
 *   record    = <OPERATION sequence="…" time="…"> *member </OPERATION>       its other members, in the order of their names
 *   member    = <NAME> value </NAME>                                         absent when it is null
 *   value     = text / number / boolean / *( <item> text </item> ) / *attribute / *member
 *   attribute = <attribute type="…"> <name> text </name> ( <value> … </value> / *( <item> text </item> ) ) </attribute>
 *
 * XML has no way to write most control characters: a text with one, and every element whose text is not plain, has the
 * attribute encoding="base64" and is its UTF-8 in base64.
 */
export const XML_NAMESPACE = 'urn:cenote:attribute-stream:1'

/** Members whose own members are attributes, named by those who set them. */
const MAPS: ReadonlySet<string> = new Set(['attributes', 'set'])
/** What XML 1.0 (section 2.2) has no character for, and what JSON may still hold. */
const BEYOND_XML = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u
const ESCAPES: { readonly [character: string]: string } = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '\r': '&#13;',
}

export function xmlDocument(records: readonly ShownRecord[]): string {
  const elements = records.map(recordElement).join('')
  return `<?xml version="1.0" encoding="UTF-8"?>\n<records xmlns="${XML_NAMESPACE}">\n${elements}</records>\n`
}

function recordElement({ operation, sequence, time, ...members }: ShownRecord): string {
  const moment = new Date(time).toISOString()
  return `<${operation} sequence="${sequence}" time="${moment}">${membersOf(members)}</${operation}>\n`
}

/** The members of a value as elements, in the order of their names. */
export function membersOf(members: object): string {
  const names = Object.entries(members).sort(([left], [right]) => (left < right ? -1 : 1))
  return names.map(([name, value]) => memberElement(name, value)).join('')
}

function memberElement(name: string, value: unknown): string {
  if (value === null || value === undefined) return ''
  if (Array.isArray(value)) return `<${name}>${value.map((item) => textElement('item', item)).join('')}</${name}>`
  if (typeof value !== 'object') return textElement(name, value)
  return `<${name}>${MAPS.has(name) ? attributesOf(value) : membersOf(value)}</${name}>`
}

function attributesOf(attributes: object): string {
  const names = Object.entries(attributes).sort(([left], [right]) => (left < right ? -1 : 1))
  return names.map(([name, value]) => attributeElement(name, value)).join('')
}

function attributeElement(name: string, value: unknown): string {
  const isList = Array.isArray(value)
  const content = isList ? value.map((item) => textElement('item', item)).join('') : textElement('value', value)
  return `<attribute type="${isList ? 'list' : typeof value}">${textElement('name', name)}${content}</attribute>`
}

function textElement(name: string, value: unknown): string {
  const text = Buffer.from(String(value)).toString() // A lone surrogate becomes U+FFFD, as in UTF-8.
  if (BEYOND_XML.test(text)) return `<${name} encoding="base64">${Buffer.from(text).toString('base64')}</${name}>`
  return `<${name}>${text.replaceAll(/[&<>\r]/g, (character) => ESCAPES[character] ?? '')}</${name}>`
}
