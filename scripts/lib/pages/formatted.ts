/** What a generator writes, as the formatter wants it. */
import { format, resolveConfig } from 'prettier';

export async function formatted(file: string, text: string): Promise<string> {
  return format(text, { ...(await resolveConfig(file)), filepath: file });
}
