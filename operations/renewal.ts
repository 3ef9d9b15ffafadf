import { z } from 'zod';
import { readIfExists, writeFileAtomically } from './files';

const renewalNote = z.object({ generation: z.number().int(), renewAfter: z.iso.datetime() });

/**
 * Notes when an operation must run again. The plan reads the note, see `renewalGeneration` in
 * constructs/expressions.ts; the generation counts up only when the operation ran because it was due, as the plan
 * expected.
 *
 * @param now for tests
 */
export function noteRenewal(file: string, renewAfter: Date, now = new Date()): void {
  const text = readIfExists(file);
  const last = text === undefined ? undefined : renewalNote.parse(JSON.parse(text));
  const generation = last === undefined ? 1 : last.generation + (now >= new Date(last.renewAfter) ? 1 : 0);
  const note = { generation, renewAfter: renewAfter.toISOString() };
  writeFileAtomically(file, `${JSON.stringify(note)}\n`, 0o644);
}
