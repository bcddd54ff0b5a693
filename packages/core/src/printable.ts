/**
 * What may be shown: text that cannot move a cursor, ring a bell or turn a line around, wherever it came from. It holds for
 * the message of every `MeshError`, for every line of the log, for every answer of the control socket and for every line of
 * the command line, whatever they were made of.
 */

/** Controls (C0, C1, DEL), formats (all that turns text around is one), what is private, unassigned or half a character, and separators of lines. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\u2028\u2029]/gu

/** The text, with what could not be shown spelt out: `\u{1b}`. */
export function printable(text: string): string {
  return text.replaceAll(UNPRINTABLE, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}

/** The same of text of several lines. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n')
}

/** A value as JSON, with the texts and names in it printable: those who read it find what is shown elsewhere. */
export function printableJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, (_, each: unknown) => (typeof each === 'string' ? printable(each) : named(each)), indent)
}

/** An object whose names are printable: itself, as nearly always, or a copy. */
function named(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  if (Object.keys(value).every((name) => printable(name) === name)) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [printable(name), each]))
}
