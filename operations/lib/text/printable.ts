/**
 * A text without what steers a terminal, what turns the direction of writing, and what XML 1.0 forbids even as a
 * reference (https://www.w3.org/TR/xml/#charsets): servers say what they like, and their answers get into reports.
 */
export function printable(text: string): string {
  return text
    .replaceAll(/\r\n?/g, '\n')
    .replaceAll(/(?![\n\t])[\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069\ufffe\uffff]/gu, '\ufffd');
}
