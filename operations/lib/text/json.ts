/** The value of a JSON text; undefined if it is none. The parser's own error would quote the text, which may be a secret. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
